# PostgreSQL. Its password is made and turned by RDS itself and lies in Secrets Manager; it never is in
# this configuration, nor in its state.

resource "aws_db_subnet_group" "portal" {
  name       = var.name
  subnet_ids = aws_subnet.private[*].id
}

resource "aws_db_instance" "portal" {
  identifier                      = var.name
  engine                          = "postgres"
  engine_version                  = "15"
  instance_class                  = var.database_class
  allocated_storage               = 20
  max_allocated_storage           = 200
  storage_encrypted               = true
  db_name                         = "walkout"
  username                        = "walkout"
  manage_master_user_password     = true
  multi_az                        = true
  db_subnet_group_name            = aws_db_subnet_group.portal.name
  vpc_security_group_ids          = [aws_security_group.database.id]
  publicly_accessible             = false
  backup_retention_period         = 14
  copy_tags_to_snapshot           = true
  deletion_protection             = true
  skip_final_snapshot             = false
  final_snapshot_identifier       = "${var.name}-last"
  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql"]
}
