import { App, aws_s3 as s3, CfnOutput, Stack } from "aws-cdk-lib";

import { LandmarkWorker } from "./landmark-worker.mjs";

const stack = new Stack(new App(), "LandmarkWorker");
const images = new s3.Bucket(stack, "Images", { enforceSSL: true });
const worker = new LandmarkWorker(stack, "Worker", { images });

// The names by which `landmarks --stack LandmarkWorker` finds them.
for (const [name, value] of Object.entries({
  QueueUrl: worker.queue.queueUrl,
  DeadLetterQueueUrl: worker.deadLetterQueue.queueUrl,
  ImageBucket: images.bucketName,
  ResultsTable: worker.table.tableName,
})) {
  new CfnOutput(stack, name, { value });
}
