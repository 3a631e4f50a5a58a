import type {
  DeployedService,
  DeploymentOrigin,
  Rewrite,
  Service,
  Snapshot,
} from '../../ports/functions.ts';

import { contractLabel, contractOf } from '../contracts/contracts.ts';

export interface SnapshotFacts {
  readonly origin: DeploymentOrigin;
  /** What the deployment was made with; undefined for a push. */
  readonly made: Snapshot | undefined;
  /** What its pointer names now; of a new preview: what production runs. */
  readonly base: Snapshot | undefined;
  /** The project's, as they are now. */
  readonly services: readonly Service[];
  readonly rewrites: readonly Rewrite[];
  /** The image that a push or a call deploys. */
  readonly changed: DeployedService | undefined;
}

/**
 * What a deployment runs. A promotion runs what the promoted one does. All others run what runs now, with the
 * image that they deploy and the project's rewrites; those for all services take all services' present settings.
 * A service that was deleted is left out.
 */
export function buildSnapshot(facts: SnapshotFacts): Snapshot {
  const { origin, made, base, changed } = facts;
  if (origin.type === 'promote') return made ?? { services: [], rewrites: [] };
  const present = new Map(facts.services.map((service) => [service.id, service]));
  const running = base ?? (changed ? undefined : made);
  const services = new Map<string, DeployedService>();
  for (const deployed of running?.services ?? []) {
    const service = present.get(deployed.serviceId);
    if (!service) continue;
    services.set(deployed.serviceId, changed ? deployed : withSettings(deployed, service));
  }
  if (changed) services.set(changed.serviceId, changed);
  const byName = [...services.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { services: byName, rewrites: facts.rewrites };
}

function withSettings(deployed: DeployedService, { settings }: Service): DeployedService {
  return { ...deployed, settings };
}

/** A service whose settings name no contract has its image's, for as long as the deployment lives. */
export function withContracts(
  snapshot: Snapshot,
  labels: ReadonlyMap<string, Readonly<Record<string, string>>>,
): Snapshot {
  const services = snapshot.services.map((service) => {
    const { settings, digest } = service;
    const own = labels.get(digest);
    if (settings.contract !== undefined || own?.[contractLabel] === undefined) return service;
    return { ...service, settings: { ...settings, contract: contractOf(settings, own).name } };
  });
  return { ...snapshot, services };
}

/** Services of `next` that `base` does not run just so: they are prepared and probed. */
export function changedServices(
  next: Snapshot,
  base: Snapshot | undefined,
): readonly DeployedService[] {
  const before = new Map(base?.services.map((service) => [service.serviceId, service]));
  return next.services.filter((service) => {
    const held = before.get(service.serviceId);
    return (
      held?.digest !== service.digest ||
      JSON.stringify(held.settings) !== JSON.stringify(service.settings)
    );
  });
}
