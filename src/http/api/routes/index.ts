import type { Route } from '../route.ts';
import { meRoutes } from './me.ts';
import { metaRoutes } from './meta.ts';

/** Every route under /api/v1. */
export function apiRoutes(about: { version: string }): Route[] {
  const routes: Route[] = [...meRoutes];
  return [...routes, ...metaRoutes(routes, about)];
}
