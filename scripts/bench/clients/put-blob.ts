/**
 * Pushes one large blob by POST and PUT, as fast as it is taken: `node put-blob.ts '<JSON of BlobOrder>'`
 * prints a `BlobAnswer`. Bytes and digest are made before the clock starts.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';

export interface BlobOrder {
  readonly url: string;
  readonly repository: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
}

export interface BlobAnswer {
  readonly seconds: number;
  readonly digest: string;
}

const piece = 1 << 20;

async function run({ url, repository, headers, bytes }: BlobOrder): Promise<BlobAnswer> {
  // The first piece makes the blob a new one; the rest may repeat, for no registry looks inside.
  const first = randomBytes(Math.min(piece, bytes));
  const other = randomBytes(piece);
  const pieces = Array.from({ length: Math.ceil(bytes / piece) }, (_, at) =>
    at === 0 ? first : other.subarray(0, Math.min(piece, bytes - at * piece)),
  );
  const hash = createHash('sha256');
  for (const one of pieces) hash.update(one);
  const digest = `sha256:${hash.digest('hex')}`;

  const started = performance.now();
  const begin = request(new URL(`/v2/${repository}/blobs/uploads/`, url), {
    method: 'POST',
    headers,
  });
  begin.end();
  const { location = '' } = (await answered(begin, 202)).headers;
  const target = new URL(location, url);
  target.searchParams.set('digest', digest);
  const put = request(target, {
    method: 'PUT',
    headers: {
      ...headers,
      'content-type': 'application/octet-stream',
      'content-length': String(bytes),
    },
  });
  const answer = answered(put, 201);
  for (const one of pieces) if (!put.write(one)) await once(put, 'drain');
  put.end();
  await answer;
  return { seconds: (performance.now() - started) / 1000, digest };
}

async function answered(sent: ClientRequest, status: number): Promise<IncomingMessage> {
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += chunk;
  if (answer.statusCode !== status) throw new Error(`${sent.method}: ${answer.statusCode} ${text}`);
  return answer;
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!) as BlobOrder)));
}
