import { type Dispatcher, Pool } from 'undici';
import { RuntimeError } from '../../ports/runtime-driver.ts';
import { withDeadline } from '../timers.ts';
import type { Instance, InstanceAddress } from './instance-record.ts';
import type { PoolDeps } from './pool-deps.ts';

const closeMs = 1_000;

/** Connections to instances: each has its own, from when it listens until it freezes or ends. */
export class Connections {
  readonly #deps: Pick<PoolDeps, 'connect' | 'timers'>;

  constructor(deps: Pick<PoolDeps, 'connect' | 'timers'>) {
    this.#deps = deps;
  }

  /** Rejects with `RuntimeError` `start-failed` where the container has no address. */
  address(instance: Instance, port: number): InstanceAddress {
    const address = instance.runtime?.address;
    if (address === undefined) throw new RuntimeError('start-failed', 'it has no address');
    const host = address.includes(':') ? `[${address}]` : address;
    return { address, port, origin: `http://${host}:${port}` };
  }

  open(instance: Instance): Dispatcher {
    const { origin } = instance.at!;
    const { connect } = this.#deps;
    // Leases bound how many there are; the gateway sets the times of each request.
    instance.dispatcher = connect
      ? connect(origin)
      : new Pool(origin, {
          pipelining: 1,
          connectTimeout: 5_000,
          headersTimeout: 0,
          bodyTimeout: 0,
        });
    return instance.dispatcher;
  }

  /** Without requests on it. */
  async close(instance: Instance): Promise<void> {
    const { dispatcher } = instance;
    instance.dispatcher = undefined;
    if (!dispatcher) return;
    const closing = dispatcher.close();
    await withDeadline(this.#deps.timers, closeMs, 'close', closing).catch(() =>
      dispatcher.destroy().catch(() => {}),
    );
  }

  /** Requests on it fail now. */
  break(instance: Instance): void {
    void instance.dispatcher?.destroy().catch(() => {});
  }
}
