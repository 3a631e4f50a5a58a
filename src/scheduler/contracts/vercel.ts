import type { Contract } from './contract.ts';
import { forwardedHeaders } from './headers.ts';
import { startFailureAnswer } from './start-failure.ts';

/** What a container sees on Vercel: docs/functions/container-images, and its system environment variables. */
export const vercel: Contract = {
  name: 'vercel',
  defaultPort: 80,
  defaultConcurrency: 50,

  environment: (place, { oidcToken }) => ({
    PORT: String(place.port),
    VERCEL: '1',
    VERCEL_ENV: place.environment,
    VERCEL_TARGET_ENV: place.environment,
    VERCEL_URL: place.host,
    VERCEL_REGION: place.region,
    VERCEL_DEPLOYMENT_ID: place.deploymentId,
    VERCEL_PROJECT_ID: place.projectId,
    GANTRY: '1',
    GANTRY_ENV: place.environment,
    GANTRY_URL: place.host,
    GANTRY_REGION: place.region,
    GANTRY_DEPLOYMENT_ID: place.deploymentId,
    GANTRY_PROJECT_ID: place.projectId,
    GANTRY_OIDC_TOKEN: oidcToken,
    VERCEL_OIDC_TOKEN: oidcToken,
  }),

  requestHeaders: (request, place) => ({
    ...forwardedHeaders(request),
    'x-vercel-id': vercelId(place.region, request.id),
    'x-vercel-forwarded-for': request.address,
    'x-vercel-deployment-url': place.host,
  }),

  responseHeaders: (request, place) => ({ 'x-vercel-id': vercelId(place.region, request.id) }),

  startFailure: (failure) => startFailureAnswer(failure),

  isFunctionError: (status) => status >= 500,

  logBrackets: () => [],
};

/** `<region>::<id>`, as Vercel's are. */
function vercelId(region: string, id: string): string {
  return `${region}::${id}`;
}
