import { after, test } from 'node:test';
import { findVersitygw, startVersitygw } from '../../../conformance/tools/versitygw.ts';
import { blobStoreContract } from '../../contract/blob-store.ts';
import { s3Subject } from './test-place.ts';

const found = findVersitygw();
if ('missing' in found) {
  test('blobs on S3', { skip: found.missing }, () => {});
} else {
  const server = await startVersitygw({ program: found.path });
  after(() => server.stop());
  blobStoreContract('blobs on S3', () => s3Subject(server));
}
