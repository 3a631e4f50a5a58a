import type { Route } from '../route.ts';
import { accountRoutes } from './accounts.ts';
import { auditRoutes } from './audit.ts';
import { checkRoutes } from './check.ts';
import { collectionRoutes } from './collection.ts';
import { deliveryRoutes } from './deliveries.ts';
import { eventRoutes } from './events.ts';
import { billRoutes } from './functions/bill.ts';
import { coldStartRoutes } from './functions/cold-starts.ts';
import { functionRoutes } from './functions/index.ts';
import { functionLogRoutes } from './functions/logs.ts';
import { functionMetricRoutes } from './functions/metrics.ts';
import { functionRequestRoutes } from './functions/requests.ts';
import { functionUsageRoutes } from './functions/usage.ts';
import { invokeRoutes } from './invoke.ts';
import { issuedTokenRoutes } from './issued-tokens.ts';
import { meRoutes } from './me.ts';
import { memberRoutes } from './members.ts';
import { metaRoutes } from './meta.ts';
import { myTokenRoutes } from './my-tokens.ts';
import { oidcTokenRoutes } from './oidc-token.ts';
import { projectRoutes } from './projects.ts';
import { deletedRoutes } from './repositories/deleted.ts';
import { manifestRoutes } from './repositories/manifests.ts';
import { repositoryRoutes } from './repositories/repositories.ts';
import { retentionRoutes } from './repositories/retention.ts';
import { ruleRoutes } from './repositories/rules.ts';
import { tagHistoryRoutes } from './repositories/tag-history.ts';
import { tagRoutes } from './repositories/tags.ts';
import { sandboxRoutes } from './sandboxes.ts';
import { scrubRoutes } from './scrub.ts';
import { secretRoutes } from './secrets.ts';
import { sessionRoutes } from './session.ts';
import { simulatePolicyRoutes } from './simulate-policies.ts';
import { teamRoutes } from './teams.ts';
import { tokenRoutes } from './tokens.ts';
import { trustPolicyRoutes } from './trust-policies.ts';
import { uploadRoutes } from './uploads.ts';
import { usageRoutes } from './usage.ts';
import { variableRoutes } from './variables.ts';
import { volumeRoutes } from './volumes.ts';
import { webhookRoutes } from './webhooks.ts';

/** Every route under /api/v1. */
export function apiRoutes(about: { version: string }): Route[] {
  const routes: Route[] = [
    ...meRoutes,
    ...myTokenRoutes,
    ...teamRoutes,
    ...memberRoutes,
    ...tokenRoutes,
    ...trustPolicyRoutes,
    ...issuedTokenRoutes,
    ...sessionRoutes,
    ...projectRoutes,
    ...secretRoutes,
    ...variableRoutes,
    ...functionRoutes,
    ...invokeRoutes,
    ...volumeRoutes,
    ...sandboxRoutes,
    ...oidcTokenRoutes,
    ...usageRoutes,
    ...simulatePolicyRoutes,
    ...repositoryRoutes,
    ...tagRoutes,
    ...tagHistoryRoutes,
    ...ruleRoutes,
    ...retentionRoutes,
    ...manifestRoutes,
    ...deletedRoutes,
    ...checkRoutes,
    ...collectionRoutes,
    ...scrubRoutes,
    ...accountRoutes,
    ...eventRoutes,
    ...uploadRoutes,
    ...webhookRoutes,
    ...deliveryRoutes,
    ...auditRoutes,
    ...functionLogRoutes,
    ...functionRequestRoutes,
    ...coldStartRoutes,
    ...functionMetricRoutes,
    ...functionUsageRoutes,
    ...billRoutes,
  ];
  return [...routes, ...metaRoutes(routes, about)];
}
