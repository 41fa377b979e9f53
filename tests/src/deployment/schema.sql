-- Database planning_sync of the maintained system, as its server creates it. PostgreSQL 13 or newer.

CREATE TYPE plan_status AS ENUM ('draft', 'active', 'paused', 'completed', 'archived');
CREATE TYPE task_status AS ENUM ('pending', 'in_progress', 'blocked', 'completed', 'cancelled');
CREATE TYPE task_priority AS ENUM ('low', 'medium', 'high', 'critical');
CREATE TYPE sync_status AS ENUM ('started', 'completed', 'failed');
CREATE TYPE conflict_severity AS ENUM ('low', 'medium', 'high');
CREATE TYPE conflict_status AS ENUM ('detected', 'resolved', 'ignored');

CREATE TABLE plans (
    id uuid PRIMARY KEY,
    title text NOT NULL,
    version varchar(20) NOT NULL,
    status plan_status NOT NULL DEFAULT 'draft',
    progress numeric(5, 2) NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    modified_at timestamptz NOT NULL DEFAULT now(),
    checksum char(64)
);
COMMENT ON TABLE plans IS 'Plans de développement synchronisés 📊';

CREATE TABLE phases (
    id uuid PRIMARY KEY,
    plan_id uuid NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
    phase_number integer NOT NULL,
    title text NOT NULL,
    progress numeric(5, 2) NOT NULL DEFAULT 0,
    metadata jsonb NOT NULL DEFAULT '{}',
    UNIQUE (plan_id, phase_number)
);

CREATE TABLE tasks (
    id uuid PRIMARY KEY,
    phase_id uuid NOT NULL REFERENCES phases (id) ON DELETE CASCADE,
    description text NOT NULL,
    status task_status NOT NULL DEFAULT 'pending',
    priority task_priority NOT NULL DEFAULT 'medium',
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz
);

CREATE TABLE sync_operations (
    id bigserial PRIMARY KEY,
    operation_type varchar(50) NOT NULL,
    plan_id uuid REFERENCES plans (id) ON DELETE SET NULL,
    status sync_status NOT NULL,
    started_at timestamptz NOT NULL,
    completed_at timestamptz,
    metadata jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE conflicts (
    id bigserial PRIMARY KEY,
    plan_id uuid REFERENCES plans (id) ON DELETE CASCADE,
    type varchar(50) NOT NULL,
    severity conflict_severity NOT NULL,
    status conflict_status NOT NULL DEFAULT 'detected',
    detected_at timestamptz NOT NULL,
    resolved_at timestamptz,
    source_content text,
    target_content text
);

CREATE TABLE performance_metrics (
    id bigserial PRIMARY KEY,
    timestamp timestamptz NOT NULL,
    metric_type varchar(50) NOT NULL,
    value double precision NOT NULL,
    details jsonb
);

CREATE INDEX idx_plans_status ON plans (status);
-- Never used by the server: what the index advice is for.
CREATE INDEX idx_plans_metadata ON plans USING gin (metadata);
CREATE INDEX idx_phases_plan ON phases (plan_id);
CREATE INDEX idx_tasks_phase ON tasks (phase_id);
CREATE INDEX idx_tasks_open ON tasks (priority, created_at) WHERE status <> 'completed';
CREATE INDEX idx_tasks_status ON tasks (status);
-- The same once more, from a migration that was run by hand.
CREATE INDEX idx_tasks_status_2 ON tasks (status);
CREATE INDEX idx_sync_operations_started ON sync_operations (started_at DESC);
-- Neither sync_operations.plan_id nor conflicts.plan_id has an index: deleting a plan reads both tables.
CREATE INDEX idx_conflicts_status ON conflicts (status, detected_at);
CREATE INDEX idx_performance_metrics_type ON performance_metrics (metric_type, timestamp DESC);

CREATE VIEW unresolved_conflicts AS
SELECT c.id, p.title, c.type, c.severity, c.detected_at
FROM conflicts AS c
JOIN plans AS p ON p.id = c.plan_id
WHERE c.status = 'detected';

-- Numbers of synchronisation jobs (sync-job-1001, …); belongs to no column.
CREATE SEQUENCE sync_job_number START 1001;

CREATE FUNCTION touch_modified_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.modified_at := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER plans_modified BEFORE UPDATE ON plans FOR EACH ROW EXECUTE FUNCTION touch_modified_at();
