import assert from 'node:assert/strict';
import test from 'node:test';
import { parseContentRange, parseRange } from './range.ts';

const span = (start: number, end: number) => ({ start, end });

test('Range against a body of 100 bytes (RFC 9110, section 14)', () => {
  const cases: [string, ReturnType<typeof parseRange>][] = [
    ['bytes=0-0', span(0, 0)],
    ['bytes=0-99', span(0, 99)],
    ['bytes=10-19', span(10, 19)],
    ['bytes=10-', span(10, 99)],
    ['bytes=99-', span(99, 99)],
    ['bytes=10-1000', span(10, 99)],
    [`bytes=0-${'9'.repeat(400)}`, span(0, 99)],
    ['bytes=-1', span(99, 99)],
    ['bytes=-100', span(0, 99)],
    ['bytes=-1000', span(0, 99)],
    [`bytes=-${'9'.repeat(400)}`, span(0, 99)],
    ['BYTES=1-2', span(1, 2)],
    [' bytes=1-2 ', span(1, 2)],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=100-200', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    ['bytes=5-4', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['', 'ignore'],
    ['bytes', 'ignore'],
    ['bytes=', 'ignore'],
    ['bytes=-', 'ignore'],
    ['bytes=a-b', 'ignore'],
    ['bytes=1-2,4-5', 'ignore'],
    ['bytes=1.5-2', 'ignore'],
    ['bytes=--5', 'ignore'],
    ['bytes=1-2\nX: y', 'ignore'],
    ['items=0-5', 'ignore'],
  ];
  for (const [header, expected] of cases)
    assert.deepEqual(parseRange(header, 100), expected, JSON.stringify(header));
});

test('an empty body satisfies no range', () => {
  for (const header of ['bytes=0-', 'bytes=0-0', 'bytes=-1'])
    assert.equal(parseRange(header, 0), 'unsatisfiable', header);
});

test("a chunk's Content-Range, as the spec and as HTTP have it", () => {
  const cases: [string, ReturnType<typeof parseContentRange>][] = [
    ['0-9', span(0, 9)],
    ['10-10', span(10, 10)],
    ['bytes 0-9/10', span(0, 9)],
    ['bytes 0-9/*', span(0, 9)],
    ['bytes  5-9', span(5, 9)],
    ['0-9/10', span(0, 9)],
    [' 0-9 ', span(0, 9)],
    ['9-0', undefined],
    ['-9', undefined],
    ['0-', undefined],
    ['a-b', undefined],
    ['0-9-10', undefined],
    ['-1-9', undefined],
    ['0x0-0x9', undefined],
    ['bytes=0-9', undefined],
    ['', undefined],
    [`0-${'9'.repeat(17)}`, undefined],
  ];
  for (const [header, expected] of cases)
    assert.deepEqual(parseContentRange(header), expected, JSON.stringify(header));
});
