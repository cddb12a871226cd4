import { fileURLToPath } from "node:url";

import { aws_dynamodb as dynamodb, aws_lambda as lambda, aws_logs as logs, aws_sqs as sqs, Duration, RemovalPolicy } from "aws-cdk-lib";
import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { Construct } from "constructs";

// The folder with image/, landmarks/ and worker/: a checkout of the worker.
const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));

// Numbers belong together: the queue hides a message for 6 times the function's timeout, which is
// twice that of one detection and 30 s. See the parameters of template.yaml.
const TIMEOUT_SECONDS = 90;
const MAX_RECEIVES = 8;

/**
 * The worker as a Lambda function, with its queue, dead-letter queue and table.
 *
 * `settings` are the worker's variables (docs/configuration.md); those that begin with MODEL_ or
 * MAX_PEOPLE also choose the models in the image. All other options are the function's own: `vpc`,
 * `tracing`, `architecture`, …
 * @typedef {Omit<lambda.DockerImageFunctionProps, "code"> & {
 *   images: import("aws-cdk-lib/aws-s3").IBucket,
 *   settings?: Record<string, string>,
 *   encryptionKey?: import("aws-cdk-lib/aws-kms").IKey,
 *   maxConcurrency?: number,
 * }} LandmarkWorkerProps
 */
export class LandmarkWorker extends Construct {
  /**
   * @param {Construct} scope
   * @param {string} id
   * @param {LandmarkWorkerProps} props
   */
  constructor(scope, id, { images, settings = {}, encryptionKey, maxConcurrency = 10, ...options }) {
    super(scope, id);
    const encryption = encryptionKey
      ? { encryptionMasterKey: encryptionKey }
      : { encryption: sqs.QueueEncryption.SQS_MANAGED };
    this.deadLetterQueue = new sqs.Queue(this, "DeadLetterQueue", {
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      ...encryption,
    });
    this.queue = new sqs.Queue(this, "Queue", {
      deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: MAX_RECEIVES },
      enforceSSL: true,
      retentionPeriod: Duration.days(4),
      visibilityTimeout: Duration.seconds(6 * TIMEOUT_SECONDS),
      ...encryption,
    });
    this.table = new dynamodb.Table(this, "Results", {
      partitionKey: { name: "object_key", type: dynamodb.AttributeType.STRING },
      sortKey: { name: "bucket", type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: RemovalPolicy.RETAIN,
      timeToLiveAttribute: "expires_at",
      ...(encryptionKey ? { encryptionKey } : { encryption: dynamodb.TableEncryption.AWS_MANAGED }),
    });
    this.function = new lambda.DockerImageFunction(this, "Worker", {
      code: image(settings, options.architecture),
      logGroup: new logs.LogGroup(this, "Logs", {
        retention: logs.RetentionDays.ONE_MONTH,
        ...(encryptionKey && { encryptionKey }),
      }),
      // The worker's lines are JSON already; Lambda would filter them, and with them the metrics.
      loggingFormat: lambda.LoggingFormat.TEXT,
      memorySize: 1769, // one vCPU
      timeout: Duration.seconds(TIMEOUT_SECONDS),
      ...options,
      environment: {
        RESULTS_TABLE: this.table.tableName,
        IMAGE_BUCKET: images.bucketName,
        ALLOWED_BUCKETS: images.bucketName,
        QUEUE_URL: this.queue.queueUrl,
        DEAD_LETTER_QUEUE_URL: this.deadLetterQueue.queueUrl,
        MAX_RECEIVE_COUNT: String(MAX_RECEIVES),
        MAX_IMAGE_BYTES: "80000000", // with more, 1,769 MB would be too few
        ...settings,
      },
    });
    this.function.addEventSource(
      new SqsEventSource(this.queue, { batchSize: 10, maxConcurrency, reportBatchItemFailures: true }),
    );
    this.deadLetterQueue.grantSendMessages(this.function);
    images.grantRead(this.function);
    this.table.grant(this.function, "dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem");
    encryptionKey?.grant(
      this.function, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*",
    );
  }
}

/**
 * The worker's image, built when the stack is deployed, with the models that the settings need.
 * @param {Record<string, string>} settings
 * @param {lambda.Architecture} [architecture]
 */
function image(settings, architecture = lambda.Architecture.X86_64) {
  const { MODEL_COMPLEXITY = "2", MAX_PEOPLE = "1", SEGMENTATION_BUCKET = "" } = settings;
  return lambda.DockerImageCode.fromImageAsset(CHECKOUT, {
    buildArgs: { MODEL_COMPLEXITY, MAX_PEOPLE, SEGMENTATION_BUCKET },
    file: "image/Dockerfile",
    platform: architecture === lambda.Architecture.ARM_64 ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
    target: "lambda",
  });
}
