import type { Digest } from '../oci/digest.ts';
import type { FunctionEnvironment, ServiceSettings } from './functions.ts';

/** Credentials for one pull: this digest in this repository, reading only, for minutes. */
export interface PullCredentials {
  mint(pull: {
    readonly teamId: string;
    readonly repositoryId: string;
    /** `team/project/repository`. */
    readonly repository: string;
    readonly digest: Digest;
  }): Promise<{ readonly username: string; readonly password: string }>;
}

/** Who an instance is to others: a JWT of its environment, and short-lived credentials of its role. */
export interface InstanceIdentities {
  issue(place: {
    readonly teamId: string;
    readonly teamSlug: string;
    readonly projectId: string;
    readonly projectSlug: string;
    readonly environment: FunctionEnvironment;
    readonly service: string;
    readonly role: ServiceSettings['role'];
  }): Promise<InstanceCredentials>;
}

export interface InstanceCredentials {
  readonly oidcToken: string;
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
  /** UTC milliseconds: of the first of them that runs out. */
  readonly expiresAt: number;
}
