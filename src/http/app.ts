import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { MetricsAccess } from '../config/config.ts';
import { describe } from '../oci/errors.ts';
import type { ApiServices } from './api/api-services.ts';
import type { Route } from './api/route.ts';
import { createApiRouter } from './api/router.ts';
import { withRequestId } from './context.ts';
import { createDiscoveryEndpoint, createJwksEndpoint } from './issuer-endpoints.ts';
import { createExchangeEndpoint, createRevocationEndpoint } from './oauth-endpoints.ts';
import { createMetricsEndpoint, createReadyz, healthz } from './operations.ts';
import { createRegistryHandler } from './registry-handler.ts';
import type { Services } from './services.ts';
import { createSignInRouter } from './sign-in-endpoints.ts';
import { createFormLimit, createTokenEndpoint } from './token-endpoint.ts';

const process = randomBytes(6).toString('hex');
let requests = 0;

/**
 * Everything but the registry's own routes is an Express app. `/v2/` is answered before it: Express gives
 * each request and response another prototype, which costs a pull more than its look-up in the database.
 */
export function createApp(
  services: ApiServices,
  options: {
    /** Those under /api/v1. */
    routes: readonly Route[];
    draining: () => boolean;
    metrics: { access: MetricsAccess; token: string | undefined };
  },
): (req: IncomingMessage, res: ServerResponse) => void {
  const app = newApp();
  const form = formOf(services);
  serveRegistry(app, services, options.draining);
  app.post('/oauth/token', ...form, createExchangeEndpoint(services));
  app.post('/oauth/revoke', ...form, createRevocationEndpoint(services));
  app.get('/.well-known/openid-configuration', createDiscoveryEndpoint(services));
  app.get('/.well-known/jwks.json', createJwksEndpoint(services));
  app.use('/signin', createSignInRouter(services));
  app.get('/metrics', createMetricsEndpoint(services, options.metrics));
  app.use('/api/v1', createApiRouter(services, options.routes));
  // Who opens the address that the start printed is led to what there is to read.
  app.get('/', (_req: Request, res: Response) => res.redirect(302, '/api/v1/docs'));
  return finish(app, services);
}

/** What clients of the registry need, without the rest. */
export function createRegistryApp(
  services: Services,
  options: { draining: () => boolean },
): (req: IncomingMessage, res: ServerResponse) => void {
  const app = newApp();
  serveRegistry(app, services, options.draining);
  return finish(app, services);
}

/** Whether `createRegistryApp` answers it. */
export function isOfRegistry(url: string): boolean {
  return isRegistryUrl(url) || /^\/(?:token|healthz|readyz)(?:\?|$)/.test(url);
}

function newApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');
  return app;
}

function formOf(services: Services) {
  return [
    createFormLimit(services),
    express.urlencoded({ extended: false, limit: '64kb', parameterLimit: 100 }),
  ];
}

function serveRegistry(app: Express, services: Services, draining: () => boolean): void {
  const token = createTokenEndpoint(services);
  app.get('/token', token);
  app.post('/token', ...formOf(services), token);
  app.get('/healthz', healthz);
  app.get('/readyz', createReadyz(services, draining));
}

function finish(
  app: Express,
  services: Services,
): (req: IncomingMessage, res: ServerResponse) => void {
  const registry = createRegistryHandler(services);
  app.use((_req: Request, res: Response) => {
    res.status(404).json({
      code: 'NOT_FOUND',
      message: 'There is no such page.',
      hint: 'The API is at /api/v1, described at /api/v1/docs; images are pushed and pulled below /v2/.',
    });
  });
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    // Express itself would write the error's stack past the log.
    if (res.headersSent) return void res.destroy();
    const status = (error as { status?: number }).status ?? 500;
    if (status >= 500) {
      services.logger.error('request failed', { cause: describe(error) });
    }
    res.status(status).json(
      status >= 500
        ? {
            code: 'INTERNAL',
            message: 'The registry failed.',
            hint: 'The operator finds why in its log.',
          }
        : malformed,
    );
  });
  return (req, res) => {
    const requestId = `${process}-${(++requests).toString(36)}`;
    if (isRegistryUrl(req.url ?? '')) {
      registry(req, withRequestId(res, requestId)).catch((error: unknown) => {
        // Past its own answer to errors: without this, one request would end the process.
        services.logger.error('request failed', { requestId, cause: describe(error) });
        res.destroy();
      });
    } else {
      res.setHeader('X-Request-Id', requestId);
      app(req, res);
    }
  };
}

function isRegistryUrl(url: string): boolean {
  return url.startsWith('/v2/') || url === '/v2' || url.startsWith('/v2?');
}

const malformed = {
  code: 'INVALID',
  message: 'The request is malformed or too large.',
  hint: 'What each route takes is at /api/v1/docs.',
};
