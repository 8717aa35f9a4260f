# The portal as one task of Fargate behind a balancer. One: it works through the pipeline and carries
# rollouts on, and two of it would only be in each other's way.

resource "aws_cloudwatch_log_group" "portal" {
  name              = "/walkout/${var.name}/portal"
  retention_in_days = var.log_days
}

# Its value, postgresql://walkout:...@host/walkout, is put there by hand or by a rotation, never here.
resource "aws_secretsmanager_secret" "database_url" {
  name                    = "${var.name}/database-url"
  recovery_window_in_days = 7
}

resource "aws_ecs_cluster" "portal" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "portal" {
  family                   = "${var.name}-portal"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 1024
  memory                   = 4096
  execution_role_arn       = aws_iam_role.starts.arn
  task_role_arn            = aws_iam_role.portal.arn

  container_definitions = jsonencode([
    {
      name                   = "portal"
      image                  = var.image
      essential              = true
      command                = ["serve", "/etc/walkout/portal.yaml"]
      user                   = "10001:10001"
      readonlyRootFilesystem = true
      portMappings           = [{ containerPort = 8090, protocol = "tcp" }]
      secrets = [
        { name = "WALKOUT_DATABASE", valueFrom = aws_secretsmanager_secret.database_url.arn },
      ]
      mountPoints = [{ sourceVolume = "state", containerPath = "/var/lib/walkout" }]
      linuxParameters = {
        capabilities       = { drop = ["ALL"] }
        initProcessEnabled = true
      }
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.portal.name
          awslogs-region        = local.region
          awslogs-stream-prefix = "portal"
        }
      }
    },
  ])

  volume {
    name = "state"
  }
}

resource "aws_lb" "portal" {
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = aws_subnet.public[*].id
  security_groups            = [aws_security_group.balancer.id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true
}

resource "aws_lb_target_group" "portal" {
  name        = var.name
  port        = 8090
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = aws_vpc.portal.id

  health_check {
    path    = "/healthz"
    matcher = "200"
  }
}

resource "aws_lb_listener" "portal" {
  load_balancer_arn = aws_lb.portal.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.portal.arn
  }
}

resource "aws_ecs_service" "portal" {
  name            = "portal"
  cluster         = aws_ecs_cluster.portal.id
  task_definition = aws_ecs_task_definition.portal.arn
  desired_count   = 1
  launch_type     = "FARGATE"
  # The old one ends before the new one begins: never two at work.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  network_configuration {
    subnets          = aws_subnet.public[*].id
    security_groups  = [aws_security_group.portal.id]
    assign_public_ip = true
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.portal.arn
    container_name   = "portal"
    container_port   = 8090
  }

  depends_on = [aws_lb_listener.portal]
}
