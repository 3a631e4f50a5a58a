import type { Route } from '../route.ts';
import { issuedTokenRoutes } from './issued-tokens.ts';
import { meRoutes } from './me.ts';
import { metaRoutes } from './meta.ts';

/** Every route under /api/v1. */
export function apiRoutes(about: { version: string }): Route[] {
  const routes: Route[] = [...meRoutes, ...issuedTokenRoutes];
  return [...routes, ...metaRoutes(routes, about)];
}
