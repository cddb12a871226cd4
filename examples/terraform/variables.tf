variable "name" {
  description = "Name of the function, and prefix of the other names."
  type        = string
  default     = "landmark-worker"
}

variable "image_uri" {
  description = "The worker's image in ECR, built by `make image`: by digest, or by a tag that is never moved."
  type        = string
}

variable "image_bucket" {
  description = "Name of the bucket with the photographs."
  type        = string
}

variable "settings" {
  description = "Further variables of the worker: docs/configuration.md. MODEL_COMPLEXITY and MAX_PEOPLE have to be the image's."
  type        = map(string)
  default     = {}
}

variable "architecture" {
  description = "Processor architecture for which the image was built: x86_64 or arm64."
  type        = string
  default     = "x86_64"
}

variable "maximum_concurrency" {
  description = "Maximum number of concurrent invocations. Further messages wait in the queue."
  type        = number
  default     = 10
}

variable "prefix_index" {
  description = "Whether the table has an index of results by folder."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "KMS key for queues, table and log group. If null, AWS's keys are used."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the function's role."
  type        = string
  default     = null
}

variable "log_retention_days" {
  description = "Retention of logs, in days."
  type        = number
  default     = 30
}
