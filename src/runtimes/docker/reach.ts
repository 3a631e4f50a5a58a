/**
 * Whether this machine reaches containers of an engine on another one. That something answers at a container's
 * address says little: where no route leads to the engine, packets go to the default gateway, and whatever is
 * there (another network with the same addresses, a proxy that answers for all) would be given the requests.
 * So packets are sent to the address, and the engine is asked whether the container has got as many. One that gets
 * as many from elsewhere at that moment passes, too: only the operator's routes make it sure (docs/container-engine.md).
 */
import { connect } from 'node:net';
import type { EngineCalls } from './engine-calls.ts';
import type { Whereabouts } from './instances.ts';
import { pathOf } from './next-end.ts';
import { hasStatus, noSuchInstance, refused } from './refusals.ts';

/** Connections that are tried, and how many packets the container must have got: others come now and then. */
const knocks = { sent: 48, least: 32 };
/** "Discard": next to no server listens there, and the container's kernel refuses. */
const knockPort = 9;
const knockMs = 400;
/** Whoever is there instead is not knocked at more often. */
const againMs = 2_000;

export const notRouted =
  "the engine is on another machine, and its containers' addresses have to be routed to this one: see docs/container-engine.md";

export class Reach {
  readonly #engine: EngineCalls;
  readonly #proven = new WeakSet<Whereabouts>();
  /** When it was not reached last, by `performance.now()`. */
  readonly #failed = new WeakMap<Whereabouts, number>();

  constructor(engine: EngineCalls) {
    this.#engine = engine;
  }

  /** Proven once for each run of a container. Rejects with `no-such-instance` or `unavailable`. */
  async leadsTo(id: string, whereabouts: Whereabouts): Promise<boolean> {
    if (this.#proven.has(whereabouts)) return true;
    const { address } = whereabouts;
    const failed = this.#failed.get(whereabouts);
    if (!address || (failed !== undefined && performance.now() - failed < againMs)) return false;
    const before = await this.#received(id);
    await Promise.all(Array.from({ length: knocks.sent }, () => knock(address)));
    if ((await this.#received(id)) - before < knocks.least) {
      this.#failed.set(whereabouts, performance.now());
      return false;
    }
    this.#proven.add(whereabouts);
    return true;
  }

  /** Packets, by all its interfaces. */
  async #received(id: string): Promise<number> {
    const { networks } = await this.#engine
      .call<{ networks?: Readonly<Record<string, { readonly rx_packets?: number }>> }>({
        method: 'GET',
        path: `${pathOf(id)}/stats`,
        query: { stream: false, 'one-shot': true },
      })
      .catch((error) => {
        throw hasStatus(error, 404) ? noSuchInstance(id) : refused(error, {});
      });
    return Object.values(networks ?? {}).reduce((sum, one) => sum + (one.rx_packets ?? 0), 0);
  }
}

/** Resolves however it ends. */
function knock(host: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: knockPort });
    const end = () => {
      socket.destroy();
      resolve();
    };
    socket.setTimeout(knockMs, end);
    socket.once('connect', end);
    socket.once('error', end);
  });
}
