import type { Route } from '../route.ts';
import { issuedTokenRoutes } from './issued-tokens.ts';
import { meRoutes } from './me.ts';
import { metaRoutes } from './meta.ts';
import { repositoryRoutes } from './repositories/repositories.ts';
import { tagRoutes } from './repositories/tags.ts';

/** Every route under /api/v1. */
export function apiRoutes(about: { version: string }): Route[] {
  const routes: Route[] = [...meRoutes, ...issuedTokenRoutes, ...repositoryRoutes, ...tagRoutes];
  return [...routes, ...metaRoutes(routes, about)];
}
