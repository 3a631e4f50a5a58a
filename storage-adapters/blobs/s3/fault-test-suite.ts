import { after, before, describe, test } from 'node:test';
import { type S3Proxy, startS3Proxy } from '../../../conformance/faults/s3-proxy.ts';
import {
  findVersitygw,
  type S3Server,
  startVersitygw,
} from '../../../conformance/tools/versitygw.ts';
import type { BlobStore } from '../../../src/ports/blob-store.ts';
import { runCase } from '../../contract/blob-store.ts';
import { s3Subject } from './test-place.ts';

/** What a case gets: a store that speaks to its server through a proxy that breaks requests. */
export interface Faulty {
  readonly store: BlobStore;
  readonly proxy: S3Proxy;
  /** Another store on the same place, through the same proxy. */
  readonly reopen: () => Promise<BlobStore>;
}

/** Defines a case. It gives the keys that it committed; nothing else may be left on the server. */
export type DefineFault = (name: string, run: (faulty: Faulty) => Promise<string[]>) => void;

/**
 * A suite of cases, each with a bucket of its own. They wait for time-outs and for pauses between tries,
 * so several run at once.
 */
export function faultSuite(name: string, define: (fault: DefineFault) => void): void {
  const found = findVersitygw();
  describe(name, 'missing' in found ? { skip: found.missing } : { concurrency: 8 }, () => {
    let server: S3Server;
    let buckets = 0;

    before(async () => {
      if ('path' in found) server = await startVersitygw({ program: found.path });
    });
    after(() => server?.stop());

    define((sentence, run) => {
      test(sentence, { timeout: 120_000 }, async (t) => {
        buckets += 1;
        const place = await server.withBucket(`faults-${buckets}`);
        const proxy = await startS3Proxy(server.endpoint);
        const more = { endpoint: proxy.endpoint, idleTimeout: 3_000, completeTimeout: 6_000 };
        const brokenThenHealed = async (faulty: Faulty) => {
          const committed = await run(faulty);
          proxy.heal();
          return committed;
        };
        try {
          await runCase(
            s3Subject(place, more),
            ({ store, reopen }) => brokenThenHealed({ store, proxy, reopen }),
            t,
          );
        } finally {
          await proxy.close();
        }
      });
    });
  });
}
