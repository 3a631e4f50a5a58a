import {
  imageLayout,
  sampleImage,
  tarOf,
} from '../../../../src/registry/archives/archive-test-kit.ts';
import { groups } from '../callers.ts';
import { type Rows, unique } from '../row.ts';

export const uploadRows: Rows = {
  uploadImage: {
    at: 'project',
    may: groups.create,
    answers: 201,
    sample: async () => {
      const name = unique('upload');
      const boundary = `----${name}`;
      const part = (header: string) =>
        `--${boundary}\r\nContent-Disposition: form-data; ${header}\r\n\r\n`;
      const archive = await tarOf(imageLayout(await sampleImage(name), name));
      return {
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
        body: Buffer.concat([
          Buffer.from(part('name="image"; filename="image.tar"')),
          archive,
          Buffer.from(`\r\n${part('name="tag"')}${name}\r\n--${boundary}--\r\n`),
        ]),
      };
    },
  },
};
