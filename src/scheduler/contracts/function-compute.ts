import type { DeployedService } from '../../ports/functions.ts';
import type { Contract, ContractRequest, StartFailure } from './contract.ts';
import { forwardedHeaders } from './headers.ts';

/** Where a container is asked, by what it is asked for. */
const controlPaths: Readonly<Record<ContractRequest['kind'], string>> = {
  http: '/http-invoke',
  event: '/invoke',
  initialize: '/initialize',
};

const mebibyte = 1024 * 1024;

/** Function Compute's custom containers: common request headers, errors and log format of its custom runtimes. */
export const functionCompute: Contract = {
  name: 'function-compute',
  defaultPort: 9000,
  defaultConcurrency: 1,

  environment: (place, credentials) => ({
    PORT: String(place.port),
    FC_SERVER_PORT: String(place.port),
    FC_FUNCTION_NAME: place.service.name,
    FC_FUNCTION_HANDLER: handlerOf(place.service),
    FC_FUNCTION_MEMORY_SIZE: megabytes(place.memory),
    FC_SERVICE_NAME: place.projectSlug,
    FC_ACCOUNT_ID: place.teamId,
    FC_REGION: place.region,
    FC_QUALIFIER: place.environment,
    FC_VERSION_ID: place.deploymentId,
    FC_INSTANCE_ID: place.instanceId,
    FC_CUSTOM_LISTEN_PORT: String(place.port),
    ALIBABA_CLOUD_ACCESS_KEY_ID: credentials.accessKeyId,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: credentials.accessKeySecret,
    ALIBABA_CLOUD_SECURITY_TOKEN: credentials.securityToken,
    GANTRY_OIDC_TOKEN: credentials.oidcToken,
  }),

  requestHeaders: (request, place, credentials) => ({
    ...forwardedHeaders(request),
    'x-fc-request-id': request.id,
    'x-fc-control-path': controlPaths[request.kind],
    'x-fc-function-name': place.service.name,
    'x-fc-function-handler': handlerOf(place.service),
    'x-fc-function-memory': megabytes(place.memory),
    'x-fc-service-name': place.projectSlug,
    'x-fc-region': place.region,
    'x-fc-account-id': place.teamId,
    'x-fc-qualifier': place.environment,
    'x-fc-version-id': place.deploymentId,
    'x-fc-access-key-id': credentials.accessKeyId,
    'x-fc-access-key-secret': credentials.accessKeySecret,
    'x-fc-security-token': credentials.securityToken,
  }),

  responseHeaders: (request) => ({ 'x-fc-request-id': request.id }),

  startFailure: (failure, service) => ({
    status: 502,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      ErrorCode: 'FunctionNotStarted',
      ErrorMessage: notStarted(failure, service),
    }),
  }),

  /** `x-fc-status: 404` is how a custom runtime says that the function itself failed. */
  isFunctionError: (status, headers) => headers['x-fc-status'] === '404' || status >= 500,

  logBrackets: (requestId, phase) => [
    phase === 'start'
      ? `FC Invoke Start RequestId: ${requestId}`
      : `FC Invoke End RequestId: ${requestId}`,
  ],
};

/**
 * The documents' text. One of them has the container's last lines after it, the other has not: `logsInErrors`
 * tells which is given.
 */
function notStarted({ durationNs, dial, logs }: StartFailure, service: DeployedService): string {
  const text = `The CA's http server cannot be started: ContainerStartDuration: ${durationNs}. Ping CA failed due to: ${dial}`;
  if (service.settings.logsInErrors === false || logs.length === 0) return text;
  const lines = logs.map(({ at, nanos, text: line }) => `${nanoTime(at, nanos)} ${line}`);
  return `${text} Logs: ${lines.join('\n')}`;
}

/** RFC 3339 with nanoseconds, as containers' logs are stamped: `2019-11-29T09:53:30.859837462Z`. */
function nanoTime(at: number, nanos = 0): string {
  return new Date(at).toISOString().replace('Z', `${String(nanos).padStart(6, '0')}Z`);
}

function handlerOf(service: DeployedService): string {
  return service.settings.handler ?? 'index.handler';
}

/** Of bytes. */
function megabytes(memory: number): string {
  return String(Math.round(memory / mebibyte));
}
