/** Tables of functions: migrations/003-functions.ts. As schema.ts has it of all tables. */
export interface FunctionSchema {
  services: {
    id: string;
    project_id: string;
    name: string;
    repository_id: string | null;
    /** JSON. */
    settings: string;
    version: number;
    paused: number;
    created_at: number;
    updated_at: number;
    updated_by: string;
  };
  deployments: {
    id: string;
    project_id: string;
    /** 1, 2, 3 … within the project: the order of pushes. */
    number: number;
    environment: string;
    name: string;
    state: string;
    /** JSON. */
    reason: string | null;
    /** JSON; null until it is known. */
    snapshot: string | null;
    /** JSON. */
    origin: string;
    /** Of a push: the service that it changes. */
    service_id: string | null;
    host: string;
    created_at: number;
    created_by: string;
    ready_at: number | null;
  };
  deployment_services: {
    deployment_id: string;
    service_id: string;
    repository_id: string;
    digest: string;
  };
  environment_pointers: {
    project_id: string;
    environment: string;
    name: string;
    deployment_id: string | null;
    version: number;
    /** Deployments up to this number were there when it was last moved by hand: they move it no more. */
    barrier: number;
    updated_at: number;
    updated_by: string;
  };
  function_hosts: {
    host: string;
    custom: number;
    project_id: string;
    deployment_id: string | null;
    environment: string | null;
    name: string | null;
    service: string | null;
    created_at: number;
  };
  domain_claims: {
    host: string;
    project_id: string;
    environment: string;
    name: string;
    service: string | null;
    token: string;
    state: string;
    message: string | null;
    created_at: number;
    checked_at: number | null;
  };
  function_volumes: {
    id: string;
    project_id: string;
    name: string;
    kind: string;
    /** JSON; its keys are sealed. */
    bucket: string | null;
    max_bytes: number | null;
    created_at: number;
    created_by: string;
  };
  removed_volumes: {
    id: string;
    /** Where it is known; the project may be gone, too. */
    project_id: string | null;
    removed_at: number;
  };
  sandboxes: {
    id: string;
    project_id: string;
    /** JSON. */
    spec: string;
    state: string;
    reason: string | null;
    created_at: number;
    created_by: string;
    expires_at: number;
    ended_at: number | null;
  };
  function_invocations: {
    id: string;
    project_id: string;
    service: string;
    environment: string;
    name: string;
    state: string;
    attempts: number;
    run_at: number;
    content_type: string | null;
    payload: Uint8Array;
    /** JSON. */
    result: string | null;
    error: string | null;
    created_at: number;
    created_by: string;
    finished_at: number | null;
  };
  function_lines: {
    id: string;
    project_id: string;
    deployment_id: string;
    service: string;
    instance_id: string;
    at: number;
    stream: string;
    text: string;
    /** JSON list. */
    request_ids: string;
  };
  function_requests: {
    id: string;
    project_id: string;
    deployment_id: string;
    service: string;
    instance_id: string | null;
    at: number;
    /** JSON. */
    record: string;
  };
  cold_starts: {
    instance_id: string;
    at: number;
    project_id: string;
    deployment_id: string;
    service: string;
    /** JSON. */
    record: string;
  };
  metering_events: {
    id: string;
    project_id: string;
    deployment_id: string;
    service: string;
    instance_id: string | null;
    kind: string;
    /** `2026-11-21` of `from_at`, UTC. */
    day: string;
    from_at: number;
    to_at: number;
    active_cpu_ms: number;
    memory_mb_ms: number;
    invocations: number;
  };
  price_tables: {
    /** Empty: from the beginning. */
    from_day: string;
    /** JSON. */
    prices: string;
  };
}
