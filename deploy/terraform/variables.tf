variable "name" {
  description = "The name of the service, and the beginning of what belongs to it."
  type        = string
  default     = "lambda-releases"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,39}$", var.name))
    error_message = "name: up to 40 lower-case letters, digits and hyphens."
  }
}

variable "image" {
  description = "The image of deploy/image/Dockerfile in your registry, by its digest."
  type        = string

  validation {
    condition     = can(regex(".+[:@].+", var.image))
    error_message = "image: name a tag or, better, a digest."
  }
}

variable "cpu_architecture" {
  description = "X86_64 or ARM64, as the image."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture: X86_64 or ARM64."
  }
}

variable "workers" {
  description = "They share AWS's rate; two outlive the loss of a zone."
  type        = number
  default     = 2

  validation {
    condition     = var.workers >= 0 && floor(var.workers) == var.workers
    error_message = "workers: a whole number."
  }
}

variable "cpu" {
  description = "CPU units of a task."
  type        = number
  default     = 512
}

variable "memory" {
  description = "MB of a task, as Fargate allows it beside cpu; 1000 canaries at rest take 117 MB."
  type        = number
  default     = 1024
}

variable "launch_type" {
  description = "FARGATE ends a task 120 s after it has to stop: hooks and probes may take 110 s. EC2, in a cluster of your own, leaves them the 15 minutes of RELEASES_GRACE."
  type        = string
  default     = "FARGATE"

  validation {
    condition     = contains(["FARGATE", "EC2"], var.launch_type)
    error_message = "launch_type: FARGATE or EC2."
  }
}

variable "cluster" {
  description = "ARN of a cluster that exists; null makes one (FARGATE only)."
  type        = string
  default     = null
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in two zones at least, with a way to Temporal and to the APIs of AWS."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids: one at least."
  }
}

variable "assign_public_ip" {
  description = "true in public subnets without a NAT gateway (FARGATE only)."
  type        = bool
  default     = false
}

variable "temporal_address" {
  description = "host:port of Temporal, without https://."
  type        = string

  validation {
    condition     = can(regex("^[^:/ ]+:[0-9]+$", var.temporal_address))
    error_message = "temporal_address: host:port, without https://."
  }
}

variable "temporal_namespace" {
  description = "The namespace of Temporal."
  type        = string
  default     = "default"
}

variable "temporal_api_key_secret" {
  description = "ARN of a secret that is an API key of Temporal."
  type        = string
  default     = null
}

variable "temporal_certificate_secret" {
  description = "ARN of a secret, JSON with certificate and key in PEM, for mTLS."
  type        = string
  default     = null
}

variable "codec_keys_secret" {
  description = "ARN of a secret that is RELEASES_CODEC_KEYS (docs/encryption.md)."
  type        = string
  default     = null
}

variable "secrets_key" {
  description = "ARN of the KMS key of these secrets, where it is not AWS's own."
  type        = string
  default     = null
}

variable "task_queue" {
  description = "One for each account and region; unused with places."
  type        = string
  default     = "lambda-releases"
}

variable "functions" {
  description = "RELEASES_FUNCTIONS: the functions that the workers touch, hooks included."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = length(var.functions) > 0
    error_message = "functions: one at least; [\"*\"] for all."
  }
}

variable "references" {
  description = "RELEASES_REFERENCES: parameters and secrets that dynamic references may name."
  type        = list(string)
  default     = ["/{function}/*"]
}

variable "places" {
  description = "The content of workers.yaml, for a worker of several accounts (docs/several-accounts.md)."
  type        = string
  default     = null
}

variable "place_role_arns" {
  description = "The roles in places, which the workers may then assume."
  type        = list(string)
  default     = []
}

variable "policies" {
  description = "What the workers may do at AWS, by name: JSON of `python -m deploy.iam` (docs/permissions.md)."
  type        = map(string)

  validation {
    condition     = alltrue([for policy in values(var.policies) : can(jsondecode(policy).Statement)])
    error_message = "policies: each is a policy in JSON, as python -m deploy.iam prints it."
  }
}

variable "environment" {
  description = "More settings of the worker, such as RELEASES_AWS_RATE (python worker.py --help)."
  type        = map(string)
  default     = {}
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the log of the workers."
  type        = number
  default     = 90
}

variable "log_key" {
  description = "ARN of a KMS key for the log group; null for CloudWatch's own."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
