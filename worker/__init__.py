"""The worker: SQS queue → S3 → detector → DynamoDB table."""
