// What the dashboard must be: the JSON of Grafana's own types, as far as they go, and of the query
// of Prometheus, which are not among them. tests/deploy/test_observability.py appends the dashboard.
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as Line,
  Options as TimeSeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// Enumerations are their values in JSON.
type Json<T> = T extends string
  ? `${T}`
  : T extends Array<infer Each>
    ? Array<Json<Each>>
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

interface Query {
  refId: string;
  datasource: { type: 'prometheus'; uid: string };
  expr: string;
  legendFormat: string;
  instant: boolean;
  range: boolean;
}

interface FieldConfig<Custom> {
  defaults: { unit: string; min?: number; noValue?: string; custom?: Partial<Custom> };
  overrides: [];
}

type Drawn<Kind extends string, Options, Custom> = Omit<
  Json<Panel>,
  'type' | 'options' | 'targets' | 'fieldConfig'
> & {
  type: Kind;
  options: Json<Options>;
  targets: Query[];
  fieldConfig: FieldConfig<Custom>;
};

type ReleaseDashboard = Omit<Json<Dashboard>, 'panels'> & {
  panels: Array<
    | (Omit<Json<RowPanel>, 'panels' | 'type'> & { type: 'row'; panels: [] })
    | Drawn<'stat', StatOptions, never>
    | Drawn<'timeseries', TimeSeriesOptions, Json<Line>>
  >;
};

export const dashboard: ReleaseDashboard =
