output "queue_url" {
  description = "URL of the job queue: QUEUE_URL of the `landmarks` command."
  value       = aws_sqs_queue.jobs.url
}

output "queue_arn" {
  description = "ARN of the job queue, for bucket notifications or an SNS subscription."
  value       = aws_sqs_queue.jobs.arn
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue: DEAD_LETTER_QUEUE_URL."
  value       = aws_sqs_queue.dead_letters.url
}

output "results_table" {
  description = "Name of the results table: RESULTS_TABLE."
  value       = aws_dynamodb_table.results.name
}

output "function_name" {
  description = "Name of the function, for direct invocations."
  value       = aws_lambda_function.worker.function_name
}
