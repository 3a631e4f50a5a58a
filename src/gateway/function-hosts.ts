import { LRUCache } from 'lru-cache';
import type { Awaitable } from '../ports/awaitable.ts';
import type { Clock } from '../ports/clock.ts';
import type { Deployments } from '../ports/functions.ts';
import { hostnameOf, labelUnder } from './names.ts';

export interface FunctionHostsDeps {
  readonly deployments: Pick<Deployments, 'findHost'>;
  readonly clock: Clock;
  /** The functions domain: every name under it is for functions, whether one has it or not. */
  readonly domain: string;
  /** Names (with and without port) of the registry itself, which may lie under the domain. */
  readonly ownHosts: ReadonlySet<string>;
}

/** Milliseconds after which custom names are asked for again. */
const freshMs = 500;
const mostHosts = 10_000;

/** Tells hosts of functions from the registry's. Asked for each request to either. */
export class FunctionHosts {
  readonly #deps: FunctionHostsDeps;
  readonly #known = new LRUCache<string, { ours: boolean; at: number }>({
    // By size, since `max` takes room for all of them at once.
    ...{ maxSize: mostHosts, sizeCalculation: () => 1 },
  });

  constructor(deps: FunctionHostsDeps) {
    this.#deps = deps;
  }

  changed(): void {
    this.#known.clear();
  }

  /** `host`: as the Host header has it. */
  has(host: string | undefined): Awaitable<boolean> {
    const { domain, ownHosts, deployments, clock } = this.#deps;
    if (!host) return false;
    const known = this.#known.get(host);
    if (known && Math.abs(clock.now() - known.at) < freshMs) return known.ours;
    const name = hostnameOf(host);
    const own = ownHosts.has(host.toLowerCase()) || name === undefined || ownHosts.has(name);
    if (own || name === domain) return this.#remember(host, false);
    if (labelUnder(domain, name) !== undefined) return this.#remember(host, true);
    const found = deployments.findHost(name);
    if (!(found instanceof Promise)) return this.#remember(host, found?.custom === true);
    return found.then((row) => this.#remember(host, row?.custom === true));
  }

  #remember(host: string, ours: boolean): boolean {
    this.#known.set(host, { ours, at: this.#deps.clock.now() });
    return ours;
  }
}
