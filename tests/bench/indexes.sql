-- What a restore builds after the rows.

ALTER TABLE plans ADD PRIMARY KEY (id);
ALTER TABLE tasks ADD PRIMARY KEY (id);
ALTER TABLE sync_events ADD PRIMARY KEY (id);
CREATE INDEX idx_plans_metadata ON plans USING gin (metadata);
CREATE INDEX idx_tasks_plan ON tasks (plan_id);
CREATE INDEX idx_tasks_status ON tasks (status, created_at);
CREATE INDEX idx_sync_events_at ON sync_events (at DESC);
CREATE INDEX idx_task_links_task ON task_links (task_id);
ALTER TABLE tasks ADD FOREIGN KEY (plan_id) REFERENCES plans (id);
ALTER TABLE sync_events ADD FOREIGN KEY (plan_id) REFERENCES plans (id);
ALTER TABLE task_links ADD FOREIGN KEY (task_id) REFERENCES tasks (id);
