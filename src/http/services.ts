import type { Authenticator } from '../auth/authenticator.ts';
import type { LoginResult } from '../auth/login.ts';
import type { TokenService } from '../auth/token-service.ts';
import type { UploadUrls } from '../auth/upload-urls.ts';
import type { Plans } from '../config/plans.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Digest } from '../oci/digest.ts';
import type { Audit } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { Metadata } from '../ports/metadata.ts';
import type { EnsuredRepositories } from '../registry/ensure-repository.ts';
import type { Listing } from '../registry/list.ts';
import type { BlobMount } from '../registry/mount-blob.ts';
import type { Pull } from '../registry/pull.ts';
import type { BlobPush } from '../registry/push-blob.ts';
import type { createManifestPush } from '../registry/push-manifest.ts';
import type { TransferMeter } from '../registry/transfer-meter.ts';
import type { Origins } from './origin.ts';
import type { RateLimits } from './rate-limits.ts';

/** What handlers call. Made in compose.ts. */
export interface Services {
  readonly authenticator: Authenticator;
  readonly login: (username: string, password: string) => Promise<LoginResult>;
  readonly tokenService: TokenService;
  readonly uploadUrls: UploadUrls;
  readonly pull: Pull;
  /** Notes that something was pulled from a repository. Costs nothing: it is written down later. */
  readonly pulled: (repositoryId: string) => void;
  /** Likewise, that a manifest was pulled, asked for by its digest, or pushed. */
  readonly used: (repositoryId: string, digest: Digest) => void;
  readonly blobPush: BlobPush;
  readonly blobMount: BlobMount;
  readonly transfer: TransferMeter;
  readonly putManifest: ReturnType<typeof createManifestPush>;
  /** Where a label under the functions domain answers; undefined: nowhere, functions are off. */
  readonly deploymentUrl?: ((host: string) => string | undefined) | undefined;
  readonly ensureRepository: EnsuredRepositories;
  readonly listing: Listing;
  readonly metadata: Metadata;
  readonly plans: Plans;
  readonly origins: Origins;
  readonly audit: Audit;
  readonly limits: RateLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly settings: {
    /** The longest that a body may make no progress, in milliseconds. */
    readonly bodyTimeoutMs: number;
    readonly manifestLimit: number;
    /** Milliseconds for which a deleted manifest can be restored; 0: it cannot. */
    readonly undeleteForMs: number;
    /** Milliseconds for which a blob that nothing names yet is kept. */
    readonly leaseMs: number;
  };
}
