-- Custom chart presets are made by the API too, and are changed.
ALTER TABLE custom_chart
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN description text NOT NULL DEFAULT '';
