import type { Contract } from './contract.ts';
import { forwardedHeaders } from './headers.ts';
import { startFailureAnswer } from './start-failure.ts';

/** Knative's and Cloud Run's container contract: PORT, and who the container is in K_ variables. */
export const cloudRun: Contract = {
  name: 'cloud-run',
  defaultPort: 8080,
  defaultConcurrency: 80,

  environment: (place, { oidcToken }) => ({
    PORT: String(place.port),
    K_SERVICE: place.service.name,
    K_REVISION: `${place.service.name}-${place.deploymentId.replaceAll('_', '-')}`,
    K_CONFIGURATION: place.service.name,
    GANTRY_OIDC_TOKEN: oidcToken,
  }),

  requestHeaders: (request) => ({
    ...forwardedHeaders(request),
    forwarded: `for=${forwardedNode(request.address)};proto=${request.proto}`,
  }),

  responseHeaders: () => ({}),

  startFailure: (failure) => startFailureAnswer(failure),

  isFunctionError: (status) => status >= 500,

  logBrackets: () => [],
};

/** RFC 7239 6: an IPv6 address stands in brackets and quotes. */
function forwardedNode(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}
