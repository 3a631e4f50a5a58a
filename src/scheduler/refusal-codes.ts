/**
 * Every code that a request to a function can be refused with, and its status: the same at the gateway, at a
 * deployment that failed (`reason.code`) and in the record of a request. 502: the container, or its server, is at
 * fault; 503: it cannot be run here, or not now. Codes that a contract documents are the contract's own.
 */
export const refusalCodes = {
  // The request.
  INVALID_REQUEST: 400,
  NOT_FOUND: 404,
  EVENT_FUNCTION: 404,
  METHOD_NOT_ALLOWED: 405,
  DEPLOYMENT_SUPERSEDED: 410,
  REQUEST_TOO_LARGE: 413,
  UNSUPPORTED_CODING: 501,
  REQUEST_TIMEOUT: 504,
  // The container.
  FUNCTION_NOT_STARTED: 502,
  /** As Function Compute documents it: its body is `{"ErrorCode", "ErrorMessage"}`. */
  FunctionNotStarted: 502,
  START_FAILED: 502,
  INVALID_SPEC: 502,
  INSTANCE_FAILED: 502,
  BAD_ANSWER: 502,
  RESPONSE_TOO_LARGE: 502,
  // How much runs now.
  TOO_MANY_REQUESTS: 429,
  QUEUE_FULL: 503,
  QUEUE_TIMEOUT: 503,
  CRASH_BACKOFF: 503,
  NO_CAPACITY: 503,
  PAUSED: 503,
  DEPLOYMENT_NOT_READY: 503,
  DEPLOYMENT_GONE: 503,
  SANDBOX_NOT_RUNNING: 503,
  STOPPING: 503,
  // What it was deployed with.
  DEPLOYMENT_FAILED: 503,
  NO_SUCH_PLATFORM: 503,
  NO_SUCH_IMAGE: 503,
  NO_SUCH_MACHINE_TYPE: 503,
  NO_SUCH_SECRET: 503,
  NO_SUCH_VOLUME: 503,
  NO_BUCKET_VOLUMES: 503,
  NO_NETWORK_GUARD: 503,
  IMAGE_TOO_LARGE: 503,
  IMAGE_NOT_PUBLIC: 503,
  IMAGE_DELETED: 503,
  SERVICE_DELETED: 503,
  LAYER_FLAGGED: 503,
  ENVIRONMENT_INVALID: 503,
  FUNCTIONS_OFF: 503,
  // Another replica runs functions.
  NOT_OWNER: 421,
  OWNER_FAILED: 502,
  NO_OWNER: 503,
  OWNER_CHANGED: 503,
  OWNER_UNREACHABLE: 503,
  CLOCKS_DIFFER: 503,
  // The host.
  NO_ENGINE: 503,
  ENGINE_UNAVAILABLE: 503,
  PULL_FAILED: 503,
  DISK_FULL: 503,
  VOLUME_FULL: 503,
  INTERNAL: 500,
} as const;

export type RefusalCode = keyof typeof refusalCodes;

/** `no-such-image` is `NO_SUCH_IMAGE`: what other parts call a failure, and deployments of earlier versions. */
export function refusalCode(failure: string): string {
  return /^[a-z]+(?:-[a-z]+)*$/.test(failure)
    ? failure.toUpperCase().replaceAll('-', '_')
    : failure;
}

/** Of a start or a deployment that failed. */
export function statusOfFailure(code: string): 502 | 503 {
  return refusalCodes[code as RefusalCode] === 502 ? 502 : 503;
}
