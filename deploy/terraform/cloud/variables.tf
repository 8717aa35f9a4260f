variable "name" {
  description = "Begins the names of everything that is made, as in the module fleet."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "Lower-case letters, digits and '-', 3 to 31 of them, beginning with a letter."
  }
}

variable "image" {
  description = "The image of deploy/container/cloud.Dockerfile, by its digest: registry/walkout-cloud@sha256:..."
  type        = string
}

variable "releases_bucket" {
  description = "Bucket of the module fleet, without s3://."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate (ACM) of the portal's host name."
  type        = string
}

variable "network" {
  description = "Address range of the portal's own network."
  type        = string
  default     = "10.60.0.0/16"
}

variable "visitors" {
  description = "Address ranges that may open the portal."
  type        = list(string)
  default     = []
}

variable "database_class" {
  description = "Instance class of PostgreSQL."
  type        = string
  default     = "db.t4g.small"
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 90
}
