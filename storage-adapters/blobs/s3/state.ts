/** What an upload's row keeps, so that another process can go on. */
export interface S3State {
  /** Bytes that are kept: all under the blob's own name (`whole`), or as whole parts and then the tail. */
  readonly offset: number;
  /** Bytes of each part: a changed setting does not touch an upload that began before. */
  readonly partSize: number;
  /** Id of the multipart upload, where one was begun. */
  readonly upload?: string;
  /** Id of the tail, where `offset` is not at a part's end. */
  readonly tail?: string;
  /** True where an object under the blob's name begins with the bytes: no part was sent by then. */
  readonly whole?: boolean;
}

export function formatState(state: S3State): string {
  return JSON.stringify(state);
}

/** The state in `text`, or undefined where `formatState` gave no such text. */
export function parseState(text: string): S3State | undefined {
  let state: Partial<S3State>;
  try {
    state = Object(JSON.parse(text)) as Partial<S3State>;
  } catch {
    return undefined;
  }
  const { offset, partSize, upload, tail, whole } = state;
  if (!isCount(offset) || !isCount(partSize) || partSize === 0) return undefined;
  if (!isTextOrAbsent(upload) || !isTextOrAbsent(tail)) return undefined;
  if (whole !== undefined && (whole !== true || offset > partSize)) return undefined;
  return state as S3State;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}
