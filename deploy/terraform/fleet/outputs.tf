output "store" {
  description = "For walkout-trainer --store, and for the devices' repository address."
  value       = "s3://${aws_s3_bucket.releases.bucket}"
}

output "broker" {
  description = "For walkout-trainer --broker, and for the devices' broker address."
  value       = "mqtts://${data.aws_iot_endpoint.mqtt.endpoint_address}:8883"
}

output "credentials_endpoint" {
  description = "Where a device exchanges its certificate for the right to read releases."
  value       = "https://${data.aws_iot_endpoint.credentials.endpoint_address}/role-aliases/${aws_iot_role_alias.device.alias}/credentials"
}

output "device_certificates" {
  description = "Certificate of each device, PEM, by its id."
  value       = { for id, each in aws_iot_certificate.device : id => each.certificate_pem }
  sensitive   = true
}

output "cloud_certificates" {
  description = "Certificates of the cloud's programs, PEM."
  value       = { for name, each in aws_iot_certificate.cloud : name => each.certificate_pem }
  sensitive   = true
}
