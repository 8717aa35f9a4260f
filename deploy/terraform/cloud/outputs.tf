output "portal" {
  description = "Where the portal's host name is to lead, as a CNAME."
  value       = aws_lb.portal.dns_name
}

output "database_password" {
  description = "Secret that holds the database's user and password, made by RDS."
  value       = aws_db_instance.portal.master_user_secret[0].secret_arn
}

output "database_url_secret" {
  description = "Secret that the database's URL is to be put into."
  value       = aws_secretsmanager_secret.database_url.arn
}

output "photos" {
  description = "For portal.yaml."
  value       = "s3://${aws_s3_bucket.photos.bucket}"
}
