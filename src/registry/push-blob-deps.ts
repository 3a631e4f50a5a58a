import type { BlobStore } from '../ports/blob-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { CommandWriter } from '../ports/commands.ts';
import type { Uploads } from '../ports/uploads.ts';
import type { Claims } from './upload-claims.ts';

export interface BlobPushDeps {
  readonly store: BlobStore;
  readonly uploads: Uploads;
  readonly writer: CommandWriter;
  readonly clock: Clock;
  readonly newUploadId: () => string;
  /** How long an upload may rest between two requests. */
  readonly expiryMs: number;
  /** How long a blob is kept for the manifest that is to name it; the usual time unless given. */
  readonly leaseMs?: number | undefined;
  /** Called when keys were discarded, so that their bytes are removed soon. */
  readonly discarded: () => void;
  /** Where other processes may write to the same uploads. */
  readonly claims?: Claims | undefined;
}
