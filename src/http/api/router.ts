import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { describe, type ErrorInfo, RegistryError, refuse } from '../../oci/errors.ts';
import { createFormLimit } from '../token-endpoint.ts';
import type { ApiServices } from './api-services.ts';
import { createEndpoint } from './endpoint.ts';
import type { Route } from './route.ts';
import { sendApiError } from './send.ts';

const bodyLimit = 2 ** 20;

/** Everything under /api/v1: each route checked, dispatched, answered and audited the same way. */
export function createApiRouter(services: ApiServices, routes: readonly Route[]): Router {
  const router = express.Router({ caseSensitive: true, strict: true });
  const json = express.json({ limit: bodyLimit, inflate: false, type: () => true });
  const limit = createFormLimit(services);
  const byPath = new Map<string, Route[]>();
  for (const route of routes) {
    const path = route.path.replace(/\{(\w+)\}/g, ':$1');
    byPath.set(path, [...(byPath.get(path) ?? []), route]);
  }
  for (const [path, siblings] of byPath) {
    for (const route of siblings) {
      const method = route.method.toLowerCase() as Lowercase<typeof route.method>;
      const reads = route.body ? [limit, requireJson, json] : [];
      const sibling = siblings.find((one) => one.method === 'GET');
      router[method](path, ...reads, createEndpoint(services, route, sibling));
    }
    const allowed = siblings.map(({ method }) => (method === 'GET' ? 'GET, HEAD' : method));
    router.all(path, (req: Request, res: Response) => {
      res.setHeader('Allow', allowed.join(', '));
      const refusal = refuse('method-not-allowed', 'This path does not take that method.', '');
      sendApiError(req, res, refusal.info);
    });
  }
  router.use((req: Request, res: Response) => {
    const message = 'There is no such route.';
    const hint = 'The routes are listed at /api/v1/docs, and in /api/v1/openapi.json.';
    sendApiError(req, res, refuse('not-found', message, hint).info);
  });
  router.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    const info = toInfo(error);
    if (info.kind === 'internal') {
      services.logger.error('API request failed', { path: req.path, cause: describe(error) });
    }
    sendApiError(req, res, info);
  });
  return router;
}

/** Undeclared bodies are not guessed at; requests without one may leave the type out. */
function requireJson(req: Request, _res: Response, next: NextFunction): void {
  const type = req.headers['content-type'];
  const empty = req.headers['content-length'] === '0' || !hasBody(req);
  if (empty || /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type ?? '')) {
    next();
    return;
  }
  next(
    refuse(
      'unsupported-media-type',
      `The body must be JSON; its Content-Type is ${type === undefined ? 'missing' : 'another'}.`,
      'Send Content-Type: application/json.',
    ),
  );
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || headers['content-length'] !== undefined;
}

/** What Express and its parsers throw, in our words. */
function toInfo(error: unknown): ErrorInfo {
  if (error instanceof RegistryError) return error.info;
  const { status, type } = error as { status?: number; type?: string };
  if (type === 'entity.too.large') {
    const message = `The body has more than the ${bodyLimit} bytes that are allowed.`;
    return { kind: 'manifest-too-large', message };
  }
  if (status === 415) {
    return {
      kind: 'unsupported-media-type',
      message: 'The body must be JSON in UTF-8, not compressed.',
    };
  }
  if (status !== undefined && status >= 400 && status < 500) {
    const what =
      type === 'entity.parse.failed' ? 'The body is not JSON.' : 'The request is malformed.';
    return { kind: 'invalid', message: what };
  }
  return {
    kind: 'internal',
    message: 'The API failed.',
    hint: 'The operator finds why in its log.',
  };
}
