# The landmark worker on Lambda: queue, dead-letter queue, table and function, with the numbers of
# template.yaml. tests/infra/test_terraform.py compares the two.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

locals {
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.image_bucket}"

  variables = {
    RESULTS_TABLE         = aws_dynamodb_table.results.name
    IMAGE_BUCKET          = var.image_bucket
    ALLOWED_BUCKETS       = var.image_bucket
    QUEUE_URL             = aws_sqs_queue.jobs.url
    DEAD_LETTER_QUEUE_URL = aws_sqs_queue.dead_letters.url
    MAX_RECEIVE_COUNT     = tostring(local.max_receives)
    MAX_IMAGE_BYTES       = "80000000" # with more, 1,769 MB would be too few
    PREFIX_INDEX          = tostring(var.prefix_index)
  }

  max_receives = 8
}

data "aws_partition" "current" {}

# --- Jobs

resource "aws_sqs_queue" "jobs" {
  name                       = "${var.name}-jobs"
  visibility_timeout_seconds = 540    # 6 times the function's timeout
  message_retention_seconds  = 345600 # 4 days
  sqs_managed_sse_enabled    = var.kms_key_arn == null ? true : null
  kms_master_key_id          = var.kms_key_arn

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = local.max_receives
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600 # 14 days
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

# --- Results

resource "aws_dynamodb_table" "results" {
  name                        = "${var.name}-results"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "object_key"
  range_key                   = "bucket"
  deletion_protection_enabled = true

  attribute {
    name = "object_key"
    type = "S"
  }

  attribute {
    name = "bucket"
    type = "S"
  }

  # DynamoDB allows only key attributes here.
  dynamic "attribute" {
    for_each = var.prefix_index ? ["prefix"] : []
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = var.prefix_index ? ["by-prefix"] : []
    content {
      name            = global_secondary_index.value
      hash_key        = "prefix"
      range_key       = "object_key"
      projection_type = "INCLUDE"
      non_key_attributes = [
        "status",
        "error_code",
        "error_message",
        "pose_score",
        "bounding_box",
        "image",
        "etag",
        "source_last_modified",
        "options_hash",
        "job_id",
        "processed_at",
      ]
    }
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

# --- The worker

resource "aws_lambda_function" "worker" {
  function_name = var.name
  package_type  = "Image"
  image_uri     = var.image_uri
  architectures = [var.architecture]
  role          = aws_iam_role.worker.arn
  memory_size   = 1769 # one vCPU
  timeout       = 90   # two detections of 15 s, and 30 s for the services

  environment {
    variables = merge(local.variables, var.settings)
  }

  # The worker's lines are JSON already; Lambda would filter them, and with them the metrics.
  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.worker.name
  }

  depends_on = [aws_iam_role_policy.worker]
}

resource "aws_lambda_event_source_mapping" "jobs" {
  event_source_arn        = aws_sqs_queue.jobs.arn
  function_name           = aws_lambda_function.worker.arn
  batch_size              = 10
  function_response_types = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}

resource "aws_cloudwatch_log_group" "worker" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "worker" {
  name_prefix          = "${var.name}-"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy" "worker" {
  name   = "worker"
  role   = aws_iam_role.worker.id
  policy = data.aws_iam_policy_document.worker.json
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "worker" {
  statement {
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility"]
    resources = [aws_sqs_queue.jobs.arn]
  }

  statement {
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters.arn]
  }

  statement {
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arn}/*"]
  }

  statement {
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arn]
  }

  statement {
    actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [aws_dynamodb_table.results.arn]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.worker.arn}:*"]
  }

  # What DynamoDB and SQS ask of those who write.
  dynamic "statement" {
    for_each = var.kms_key_arn[*]
    content {
      actions = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
      ]
      resources = [statement.value]
    }
  }
}
