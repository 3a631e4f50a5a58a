import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { openSqliteMetadata } from '../../storage-adapters/metadata/sqlite.ts';
import { genericTrust, githubTrust, gitlabTrust, vercelTrust } from '../auth/trust-presets.ts';
import { CollectionDesk } from '../maintenance/collection-desk.ts';
import { CollectionPlans } from '../maintenance/collection-plan.ts';
import { Collector } from '../maintenance/collector.ts';
import { ScrubDesk } from '../maintenance/scrub-desk.ts';
import type { ErrorInfo } from '../oci/errors.ts';
import { RegistryError } from '../oci/errors.ts';
import type { Metadata } from '../ports/metadata.ts';
import { type Admin, createAdmin } from './admin.ts';
import type { AuditEntry, StrayVolumes } from './admin-context.ts';
import { newId } from './ids.ts';
import { newToken } from './token-secret.ts';

export const url = 'http://127.0.0.1:5050';

export interface AdminKit {
  readonly admin: Admin;
  readonly metadata: Metadata;
  readonly audited: AuditEntry[];
  /** Moves the clock that the admin reads. */
  pass(milliseconds: number): void;
  /** What a call that must be refused was refused with. */
  refusal(method: string, params: unknown): Promise<ErrorInfo>;
}

/** The admin over a database of its own, gone after the test. */
export async function adminKit(
  t: TestContext,
  options: { readonly volumes?: (metadata: Metadata) => StrayVolumes } = {},
): Promise<AdminKit> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-admin-'));
  const metadata = await openSqliteMetadata({ folder });
  t.after(async () => {
    await metadata.close();
    await rm(folder, { recursive: true });
  });
  let now = Date.UTC(2026, 10, 21);
  const clock = { now: () => now };
  const audited: AuditEntry[] = [];
  const collector = new Collector(
    {
      ...{ ...metadata, clock, delayMs: 0, discarded: () => {}, failed: () => {} },
      newId: () => newId('col'),
    },
    undefined,
  );
  const admin = createAdmin({
    metadata,
    clock,
    collectionPlans: new CollectionPlans(metadata.collectionPlan, clock),
    scrub: new ScrubDesk({
      ...{ ...metadata, clock, newId: () => newId('scr'), wake: () => {} },
      ...{ rate: 2 ** 20, intervalMs: undefined },
    }),
    newId,
    newToken,
    presets: {
      github: githubTrust,
      gitlab: gitlabTrust,
      vercel: vercelTrust,
      generic: genericTrust,
    },
    keys: {
      rotate: async (purpose) => {
        const key = {
          id: newId('key'),
          purpose,
          wrapped: '',
          createdAt: now,
          retiredAt: undefined,
        };
        await metadata.writer.run('CreateKey', key);
        return { purpose, id: key.id, signsAt: now };
      },
    },
    plan: 'self-hosted',
    collections: new CollectionDesk({
      run: () => collector.run(),
      ...{ newId: () => newId('col'), failed: () => {}, goesOn: false },
    }),
    volumes: () => options.volumes?.(metadata),
    status: () => ({
      version: '0',
      url,
      running: true,
      pid: 1,
      data: folder,
      storage: 'filesystem',
      database: 'sqlite',
    }),
    audit: (entry) => audited.push(entry),
  });
  return {
    admin,
    metadata,
    audited,
    pass: (milliseconds) => {
      now += milliseconds;
    },
    async refusal(method, params) {
      try {
        await admin.handle(method, params);
      } catch (error) {
        if (error instanceof RegistryError) return error.info;
        throw error;
      }
      throw new Error(`${method} was not refused`);
    },
  };
}
