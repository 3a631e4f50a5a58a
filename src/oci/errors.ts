/**
 * Everything that can go wrong in the registry's own words. Each kind has one OCI error code and one
 * HTTP status in http/errors.ts; nothing below http knows either.
 */
export type ErrorKind =
  | 'blob-unknown'
  | 'blob-in-use'
  | 'upload-invalid'
  | 'upload-unknown'
  | 'upload-conflict'
  | 'digest-invalid'
  | 'digest-mismatch'
  | 'manifest-blob-unknown'
  | 'manifest-invalid'
  | 'manifest-unknown'
  | 'manifest-too-large'
  | 'manifest-in-use'
  | 'config-too-large'
  | 'name-invalid'
  | 'name-unknown'
  | 'tag-invalid'
  | 'tag-immutable'
  | 'deletion-off'
  | 'size-invalid'
  | 'layer-too-large'
  | 'image-too-large'
  | 'range-invalid'
  | 'range-not-satisfiable'
  | 'unauthorized'
  | 'denied'
  | 'quota'
  | 'conflict'
  | 'precondition-failed'
  | 'unsupported'
  | 'unsupported-media-type'
  | 'method-not-allowed'
  | 'not-found'
  | 'invalid'
  | 'body-timeout'
  | 'too-many-requests'
  | 'storage-full'
  | 'unavailable'
  | 'internal';

export interface ErrorInfo {
  readonly kind: ErrorKind;
  /** One sentence: what was refused, the rule and the limit. */
  readonly message: string;
  /** What the person can do, best as a command. */
  readonly hint?: string | undefined;
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
}

/** A refusal or failure that a client is told of. Crosses threads by `info`. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly info: ErrorInfo;

  constructor(info: ErrorInfo, options?: ErrorOptions) {
    super(info.message, options);
    this.info = info;
  }

  get kind(): ErrorKind {
    return this.info.kind;
  }
}

/** For logs: what was thrown, with its stack. */
export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

export function refuse(
  kind: ErrorKind,
  message: string,
  hint?: string,
  detail?: Readonly<Record<string, unknown>>,
): RegistryError {
  return new RegistryError({ kind, message, hint, detail });
}
