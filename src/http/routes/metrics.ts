// Routes of figures: for Prometheus, as JSON, and the last ten minutes for a plot. And the options.

import { PROMETHEUS_TYPE, prometheusText } from '../../metrics/prometheus.ts';
import { historySchema, optionSetSchema } from '../node-api.ts';
import { pageQuery } from '../page.ts';
import { route, textRoute } from '../route.ts';
import { any, array, object, oneOf, record, text } from '../schema.ts';

export const metricRoutes = [
  textRoute({
    method: 'GET',
    path: '/metrics',
    access: 'read',
    scope: 'node',
    summary: 'the metrics of this node for Prometheus',
    handler: ({ node }) => ({
      contentType: PROMETHEUS_TYPE,
      text: prometheusText(node.metrics()),
    }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/metrics',
    access: 'read',
    scope: 'node',
    summary: 'the same metrics as JSON; histograms are for Prometheus only',
    query: { node: pageQuery.node },
    response: object({
      metrics: array(
        object({
          name: text(),
          kind: oneOf(['counter', 'gauge', 'info', 'histogram']),
          unit: oneOf(['none', 'bytes', 'seconds']),
          help: text(),
          series: array(
            object({ labels: record(text()), value: any('A number, or the text of an info') }),
          ),
        }),
      ),
    }),
    handler: ({ node }) => ({
      metrics: [...node.metrics()].flatMap(([, { name, kind, unit, help }, value]) => {
        if (kind === 'histogram') return [];
        const series = Array.isArray(value) ? value : [{ labels: {}, value }];
        return [{ name, kind, unit, help, series }];
      }),
    }),
  }),
  route({
    method: 'GET',
    path: '/api/v1/history',
    access: 'read',
    scope: 'node',
    summary: 'figures of the last ten minutes, one sample every five seconds',
    query: { node: pageQuery.node },
    response: historySchema,
    handler: ({ node }) => node.history(),
  }),
  route({
    method: 'GET',
    path: '/api/v1/config',
    access: 'read',
    scope: 'node',
    summary: 'options of a node with their origin; secrets are stars',
    query: { node: pageQuery.node },
    response: object({
      options: array(
        object({ flag: text(), value: text(), source: text(), place: text(), help: text() }),
      ),
    }),
    handler: ({ node }) => ({ options: node.config() }),
  }),
  route({
    method: 'PUT',
    path: '/api/v1/config',
    access: 'change',
    scope: 'node',
    summary: 'sets an option of a node, in its TOML file too if it has one',
    // As the option shows its values: without secrets.
    audited: ['from', 'to'],
    query: { node: pageQuery.node },
    body: object({
      option: text({ maxLength: 64 }),
      value: text({ maxLength: 4096, isSecret: true }),
    }),
    response: optionSetSchema,
    handler: async ({ node, body: { option, value } }) => ({
      node: node.name,
      ...(await node.setOption(option, value)),
    }),
  }),
];
