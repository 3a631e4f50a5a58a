import type { Clock } from '../ports/clock.ts';
import type { Metadata } from '../ports/metadata.ts';
import { Pruner, type PruneSettings } from './deployments/pruner.ts';
import { DomainKeeper } from './domains/domain-keeper.ts';
import { createTxtResolver } from './domains/domain-proof.ts';
import type { Timers } from './timers.ts';

/** What looks after functions now and then: old deployments go, and domains are proven. */
export interface Keepers {
  readonly domains: DomainKeeper;
  /** In the process that runs functions. */
  start(): void;
  close(): Promise<void>;
}

export function createKeepers(deps: {
  readonly metadata: Pick<Metadata, 'deployments' | 'domains' | 'writer'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly pruning: PruneSettings;
  readonly proofs: { readonly trusted: readonly string[]; readonly servers: readonly string[] };
  /** Deployments that have an instance. */
  readonly running: () => ReadonlySet<string>;
  /** Other names lead to functions now, or a deployment went. */
  readonly changed: (change: { deleted?: string }) => void;
  readonly failed: (what: string, cause: unknown) => void;
}): Keepers {
  const { metadata, clock, timers, pruning, proofs, running, changed, failed } = deps;
  const pruner = new Pruner({
    ...{ ...metadata, clock, timers, running, settings: pruning },
    removed: (deleted) => changed({ deleted }),
    failed: (cause) => failed('deployments were not pruned', cause),
  });
  const domains = new DomainKeeper({
    ...{ ...metadata, clock, timers, trusted: proofs.trusted },
    resolver: createTxtResolver(proofs.servers),
    verified: () => changed({}),
    failed: (cause) => failed('domains were not looked at', cause),
  });
  return {
    domains,
    start() {
      pruner.start();
      domains.start();
    },
    async close() {
      await Promise.all([pruner.close(), domains.close()]);
    },
  };
}
