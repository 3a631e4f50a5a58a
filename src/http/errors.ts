import { type ErrorInfo, type ErrorKind, RegistryError } from '../oci/errors.ts';

/**
 * From what went wrong to what the wire says: the code of the distribution-spec ("Error Codes"; 5xx
 * answers have codes of our own, which the spec leaves free) and the HTTP status.
 */
const table: Record<ErrorKind, readonly [code: string, status: number]> = {
  'blob-unknown': ['BLOB_UNKNOWN', 404],
  'blob-in-use': ['UNSUPPORTED', 405],
  'upload-invalid': ['BLOB_UPLOAD_INVALID', 400],
  'upload-unknown': ['BLOB_UPLOAD_UNKNOWN', 404],
  'upload-conflict': ['BLOB_UPLOAD_INVALID', 409],
  'digest-invalid': ['DIGEST_INVALID', 400],
  'digest-mismatch': ['DIGEST_INVALID', 400],
  'manifest-blob-unknown': ['MANIFEST_BLOB_UNKNOWN', 404],
  'manifest-invalid': ['MANIFEST_INVALID', 400],
  'manifest-unknown': ['MANIFEST_UNKNOWN', 404],
  'manifest-too-large': ['SIZE_INVALID', 413],
  'manifest-in-use': ['UNSUPPORTED', 405],
  'config-too-large': ['SIZE_INVALID', 413],
  'name-invalid': ['NAME_INVALID', 400],
  'name-unknown': ['NAME_UNKNOWN', 404],
  'tag-invalid': ['NAME_INVALID', 400],
  'tag-immutable': ['DENIED', 409],
  'deletion-off': ['UNSUPPORTED', 405],
  'size-invalid': ['SIZE_INVALID', 400],
  'layer-too-large': ['SIZE_INVALID', 413],
  'image-too-large': ['SIZE_INVALID', 413],
  'range-invalid': ['BLOB_UPLOAD_INVALID', 400],
  'range-not-satisfiable': ['BLOB_UPLOAD_INVALID', 416],
  unauthorized: ['UNAUTHORIZED', 401],
  denied: ['DENIED', 403],
  quota: ['DENIED', 403],
  conflict: ['DENIED', 409],
  'precondition-failed': ['DENIED', 412],
  unsupported: ['UNSUPPORTED', 400],
  'unsupported-media-type': ['UNSUPPORTED', 415],
  'method-not-allowed': ['UNSUPPORTED', 405],
  'not-found': ['UNSUPPORTED', 404],
  invalid: ['UNSUPPORTED', 400],
  'body-timeout': ['BLOB_UPLOAD_INVALID', 408],
  'too-many-requests': ['TOOMANYREQUESTS', 429],
  'storage-full': ['STORAGE_FULL', 507],
  unavailable: ['UNAVAILABLE', 503],
  internal: ['INTERNAL', 500],
};

export interface ErrorResponse {
  readonly status: number;
  readonly code: string;
  /** The spec's error JSON. */
  readonly body: string;
}

/** Clients such as docker show code and message only, so the message carries the hint, too. */
export function toErrorResponse(info: ErrorInfo): ErrorResponse {
  const [code, status] = table[info.kind];
  const message = info.hint ? `${info.message} ${info.hint}` : info.message;
  // What a failure was inside is for the log, not for the wire.
  const detail = status >= 500 ? undefined : info.detail;
  return {
    status,
    code,
    body: JSON.stringify({ errors: [{ code, message, detail: detail ?? {} }] }),
  };
}

/** Anything thrown, as a client may hear of it. */
export function toErrorInfo(error: unknown): ErrorInfo {
  if (error instanceof RegistryError) return error.info;
  return { kind: 'internal', message: 'The registry failed. The operator finds why in its log.' };
}
