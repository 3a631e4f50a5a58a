import { writeSync } from 'node:fs';
import { FrameReader, type MeasureJob, type WorkerMessage } from './measure-frames.ts';
import { measureLayer } from './measure-layer.ts';

/*
 * The process that inflates what strangers pushed: it has no credentials, gets bytes on its standard
 * input only, and may be killed at any moment. It ends with its input.
 */

const progressInterval = 1000;

// A terminal's interrupt reaches the whole group; the parent says when it is time.
process.on('SIGINT', () => {});

const reader = new FrameReader(process.stdin);
tell({ type: 'ready' });

for (let frame = await reader.frame(); frame; frame = await reader.frame()) {
  const job = JSON.parse(frame.toString()) as MeasureJob;
  const verdict = await measureLayer(job, reader.untilEmpty(), progressTicker());
  tell({ type: 'verdict', verdict });
  if (verdict.state !== 'measured') {
    await reader.discard();
    break;
  }
}

function progressTicker(): () => void {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < progressInterval) return;
    last = now;
    tell({ type: 'progress' });
  };
}

function tell(message: WorkerMessage): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
