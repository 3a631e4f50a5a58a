import type { Metadata } from '../../../src/ports/metadata.ts';
import { auditContract } from './audit.ts';
import { blobsContract } from './blobs.ts';
import { collectionContract } from './collection.ts';
import { deploymentsContract } from './deployments.ts';
import { domainsContract } from './domains.ts';
import { eventsContract } from './events.ts';
import type { MetadataFactory } from './fixture.ts';
import { functionRecordsContract } from './function-records.ts';
import { imageRulesContract } from './image-rules.ts';
import { leasesContract } from './leases.ts';
import { manifestsContract } from './manifests.ts';
import { principalsContract } from './principals.ts';
import { pruningContract } from './pruning.ts';
import { repositoriesContract } from './repositories.ts';
import { reservationsContract } from './reservations.ts';
import { retentionContract } from './retention.ts';
import { runsContract } from './runs.ts';
import { scrubContract } from './scrub.ts';
import { secretsContract } from './secrets.ts';
import { servicesContract } from './services.ts';
import { signInContract } from './sign-in.ts';
import { tagsContract } from './tags.ts';
import { teamsContract } from './teams.ts';
import { trashContract } from './trash.ts';
import { usageContract } from './usage.ts';
import { webhooksContract } from './webhooks.ts';
import { writerContract } from './writer.ts';

/** What every metadata adapter does. Each test gets a database of its own; a leftover fails its removal. */
export function metadataContract(makeFactory: () => Promise<MetadataFactory>): void {
  const factories = new Map<Metadata, MetadataFactory>();
  const current = new Map<MetadataFactory, Metadata>();
  const open = async (t: { after(fn: () => unknown): void }): Promise<Metadata> => {
    const factory = await makeFactory();
    const db = await factory.open();
    factories.set(db, factory);
    current.set(factory, db);
    t.after(async () => {
      await current.get(factory)?.close();
      await factory.remove();
    });
    return db;
  };
  const reopen = async (db: Metadata): Promise<Metadata> => {
    const factory = factories.get(db)!;
    await db.close();
    const again = await factory.open();
    current.set(factory, again);
    return again;
  };
  principalsContract(open);
  teamsContract(open);
  secretsContract(open);
  runsContract(open);
  usageContract(open);
  signInContract(open);
  blobsContract(open);
  collectionContract(open);
  scrubContract(open);
  leasesContract(open);
  manifestsContract(open);
  repositoriesContract(open);
  eventsContract(open, reopen);
  servicesContract(open);
  reservationsContract(open);
  deploymentsContract(open);
  pruningContract(open);
  domainsContract(open);
  tagsContract(open);
  imageRulesContract(open);
  trashContract(open);
  retentionContract(open);
  webhooksContract(open);
  auditContract(open);
  functionRecordsContract(open);
  writerContract(open, reopen);
}
