import type { Route } from '../../route.ts';
import { deploymentRetentionRoutes } from './deployment-retention.ts';
import { deploymentRoutes } from './deployments.ts';
import { domainRoutes } from './domains.ts';
import { environmentRoutes } from './environments.ts';
import { gantryConfigRoutes } from './gantry-config.ts';
import { instanceRoutes } from './instances.ts';
import { serviceRoutes } from './services.ts';

/** Services, what is deployed of them, and where it answers. */
export const functionRoutes: readonly Route[] = [
  ...serviceRoutes,
  ...gantryConfigRoutes,
  ...deploymentRoutes,
  ...deploymentRetentionRoutes,
  ...environmentRoutes,
  ...domainRoutes,
  ...instanceRoutes,
];
