// A real Prometheus scrapes a cluster, and promtool finds nothing wrong with metrics and alerts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { missingPrograms } from '../support/programs.ts';
import { scenario } from './support/scenario.ts';

const skip = missingPrograms('prometheus', 'promtool');

function promtool(args: readonly string[], input = ''): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('promtool accepts the alerts and the configuration', { skip }, () => {
  const rules = promtool(['check', 'rules', 'docs/deploy/alerts.yml']);
  assert.equal(rules.status, 0, rules.output);
  const config = promtool(['check', 'config', 'docs/deploy/prometheus.yml']);
  assert.equal(config.status, 0, config.output);
});

describe('metrics for Prometheus', { skip }, () => {
  scenario('promtool has nothing to say about /metrics of a clustered node', async (scene) => {
    const [n1] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined);
    const response = await fetch(`http://${await n1.process.httpAddress()}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const { status, output } = promtool(['check', 'metrics'], await response.text());
    assert.equal(status, 0, output);
    assert.equal(output, '');
  });

  scenario('Prometheus reads the members and the histograms', async (scene) => {
    const [n1, n2] = await scene.localCluster(2, '-http=0');
    assert.ok(n1 !== undefined && n2 !== undefined);
    const folder = mkdtempSync(join(tmpdir(), 'shoal-prometheus-'));
    const targets = [await n1.process.httpAddress(), await n2.process.httpAddress()];
    const config = join(folder, 'prometheus.yml');
    const scrape = { job_name: 'shoal', static_configs: [{ targets }] };
    writeFileSync(
      config,
      JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: [scrape] }),
    );
    const prometheus = scene.run([
      'prometheus',
      `--config.file=${config}`,
      `--storage.tsdb.path=${folder}`,
      '--web.listen-address=127.0.0.1:0',
      '--log.level=info',
    ]);
    const [, port] = await prometheus.waitFor(/Listening on.*address=127\.0\.0\.1:(\d+)/, 60_000);
    const query = async (text: string): Promise<{ value: [number, string] }[]> => {
      const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`;
      const response = await fetch(url);
      // It listens before it is ready.
      if (!response.ok) return [];
      const { data } = (await response.json()) as {
        data: { result: { value: [number, string] }[] };
      };
      return data.result;
    };
    const members = 'shoal_member_state_info{state="alive"}';
    const until = Date.now() + 20_000;
    while ((await query(members)).length < 4 && Date.now() < until) await delay(200);
    assert.equal((await query(members)).length, 4, 'each of two nodes sees two members');
    assert.equal((await query('up{job="shoal"} == 1')).length, 2);
    const delays = await query('shoal_event_loop_delay_seconds_count > 0');
    assert.equal(delays.length, 2);
    await prometheus.kill();
    rmSync(folder, { recursive: true });
  });
});
