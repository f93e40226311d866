import pytest

from snnlab import figures
from tests.unit.figures.synthetic import attribution, conversion, curve, residuals, traces, tuned
from tests.unit.figures.synthetic_gain import noise_gain_report, site_losses
from tests.unit.figures.synthetic_runs import comparison, early_exit, flips, seed_group
from tests.unit.figures.synthetic_tournament import TITLES, tournament_report

HOSTILE = "<b>x</b> $\\alpha_{1}$ & %{y} =cmd|' /C calc'!A0 \x00\u202e\n~^#_{} 日本"


def every_figure() -> dict[str, figures.Figure]:
    """One figure of each kind and shape, by name."""
    few, many = residuals(3), residuals(110, steps=(4,), images=4, neurons=16)
    other = residuals(3, seed=1)
    run = traces()
    hostile = residuals(2, names=(HOSTILE, "b" * 200))
    return {
        "accuracy": figures.accuracy_vs_steps(curve(num_steps=32, half=1)),
        "accuracies_log": figures.accuracy_vs_steps([curve("a", 16, half=h) for h in (1, 2, 3)], log_steps=True),
        "accuracy_T1": figures.accuracy_vs_steps(curve(num_steps=1, images=1)),
        "accuracy_hostile": figures.accuracy_vs_steps([curve(HOSTILE), curve("_under $score$" * 9)]),
        "overview": figures.residual_overview(few, 4, other),
        "overview_1": figures.residual_overview(residuals(1), 8, base="all"),
        "overview_110": figures.residual_overview(many, 4, many),
        "overview_stages": figures.residual_overview(many, 4, stages=True),
        "overview_hostile": figures.residual_overview(hostile, 4, hostile, compare_name=HOSTILE),
        "site": figures.residual_site(few, 1, 8, other),
        "site_hostile": figures.residual_site(hostile, 0, 1, hostile, base="all", compare_name=HOSTILE),
        "spike_errors": figures.spike_errors(few, 1, 8, other),
        "profile": figures.site_profile(conversion(19), conversion(19, seed=1)),
        "profile_110": figures.site_profile(conversion(110)),
        "changes": figures.conversion_change(conversion(19), conversion(19, seed=1), before_name=HOSTILE),
        "changes_110": figures.conversion_change(conversion(110), conversion(110, seed=1)),
        "comparison": figures.comparison(comparison(19), 4),
        "comparison_110": figures.comparison(comparison(110, names=("a", "b", "c")), 4),
        "comparison_hostile": figures.comparison(comparison(2, names=(HOSTILE, "b" * 200), unshared=3), 2),
        "flips": figures.flips_over_steps(flips(), 2),
        "flips_T1": figures.flips_over_steps(flips(num_steps=1, images=40)),
        "flip_sites": figures.flip_sites(flips(), 8, 3),
        "flip_sites_110": figures.flip_sites(flips(110), 1),
        "flip_sites_hostile": figures.flip_sites(flips(2, names=(HOSTILE, "b" * 200)), 8, 0),
        "flip_classes": figures.flip_confusion(flips(2), 1),
        "flip_classes_100": figures.flip_confusion(flips(2, classes=100), 1),
        "exit": figures.early_exit(early_exit()),
        "exit_T1": figures.early_exit(early_exit(num_steps=1)),
        "seeds": figures.seed_group(seed_group(num_steps=32)),
        "seeds_1": figures.seed_group(seed_group(1, name=HOSTILE), log_steps=True),
        "seeds_T1": figures.seed_group(seed_group(2, num_steps=1)),
        "trace": figures.neuron_trace(run, 2, step=8, report=few),
        "trace_T1": figures.neuron_trace(traces(1), 0),
        "trace_hostile": figures.neuron_trace(run, 3, step=5, report=hostile),
        "tuning": figures.threshold_tuning(tuned(19)),
        "tuning_110": figures.threshold_tuning(tuned(110)),
        "sensitivity": figures.sensitivity(site_losses(19)),
        "sensitivity_110": figures.sensitivity(site_losses(110)),
        "inside": figures.inside_change(noise_gain_report()),
        "pareto": figures.tournament_pareto(tournament_report(), "syn_ops"),
        "pareto_hostile": figures.tournament_pareto(tournament_report(titles=TITLES | {"opi": HOSTILE})),
        "methods": figures.tournament_paired(tournament_report(), 8, 0),
        "methods_hostile": figures.tournament_paired(tournament_report(titles=TITLES | {"opi": HOSTILE}), 4, 1),
        "explained": figures.attribution_maps(attribution()),
        "explained_one": figures.attribution_maps(attribution(steps=(), method="deeplift", name=HOSTILE)),
        "explained_hostile": figures.attribution_maps(
            attribution(steps=(1, 2, 4, 8, 16), method="gradcam", name=HOSTILE)
        ),
        "explained_curves": figures.attribution_curves(attribution()),
        "explained_over_T": figures.attribution_convergence(attribution()),
        "explained_sites": figures.attribution_sites(attribution(sites=110)),
        "restored_one_by_one": figures.attribution_restoration(attribution()),
        "restored_110": figures.attribution_restoration(attribution(sites=110, name=HOSTILE)),
        "errors": figures.errors_over_depth(noise_gain_report(sites=19)),
    }


@pytest.fixture(scope="session")
def all_figures() -> dict[str, figures.Figure]:
    return every_figure()


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE
