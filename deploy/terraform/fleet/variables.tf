variable "name" {
  description = "Begins the names of everything that is made, such as walkout-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "Lower-case letters, digits and '-', 3 to 31 of them, beginning with a letter."
  }
}

variable "certificate_requests" {
  description = "Certificate signing request (PEM) of each device by its id, which must be the request's common name: look before you sign. The private key never leaves the device."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for id in keys(var.certificate_requests) : can(regex("^[a-z0-9][a-z0-9-]{0,62}$", id))])
    error_message = "A device id is 1 to 63 lower-case letters, digits or '-', beginning with a letter or digit."
  }
}

variable "trainer_certificate_request" {
  description = "Certificate signing request (PEM) of the cloud's rollout engine."
  type        = string
  default     = null
}

variable "receiver_certificate_request" {
  description = "Certificate signing request (PEM) of the cloud's receiver of receipts."
  type        = string
  default     = null
}

variable "old_objects_days" {
  description = "Days after which overwritten or deleted objects of the store are gone for good."
  type        = number
  default     = 90
}
