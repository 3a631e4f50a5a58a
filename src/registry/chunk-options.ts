import type { RegistryError } from '../oci/errors.ts';
import type { ByteRange } from '../oci/range.ts';
import type { CountLimits } from '../ports/commands.ts';

/** What a chunk of a blob must keep to. */
export interface ChunkOptions {
  /** `Content-Range`, where the client sent one. */
  readonly range: ByteRange | undefined;
  /** Bytes that the blob may have; checked while it streams. */
  readonly limit: number;
  /** The refusal for more than `limit`. */
  tooLarge(): RegistryError;
  /** Of the plan; checked when the blob is finished. */
  readonly limits?: CountLimits | undefined;
}
