"""Which engine a choice names, and the sizes that it is for."""

from dni_runtime.fastest.choices import Choice, SizeClass


def choice(held: dict[str, float], moving: dict[str, float]) -> Choice:
    return Choice((1, 3, 64, 64), held, moving, {}, calm=True)


def test_the_engine_of_held_alphas_moves_too_unless_another_is_much_faster():
    held = {"cpu": 0.020, "ncnn": 0.010}
    assert choice(held, {"cpu": 0.0100, "ncnn": 0.0104}).of_moving == ["ncnn", "cpu"]
    assert choice(held, {"cpu": 0.0100, "ncnn": 0.0106}).of_moving == ["cpu", "ncnn"]
    assert choice(held, {"cpu": 0.0100, "ncnn": 0.0106}).of_held == ["ncnn", "cpu"]


def test_sizes_are_decided_about_together_whose_pixels_round_to_one_power_of_two():
    first = SizeClass.of((1, 3, 64, 64), True)
    assert SizeClass.of((1, 3, 48, 64), True) == SizeClass.of((1, 3, 120, 48), True) == first
    for other in ((1, 3, 44, 64), (1, 3, 96, 64), (2, 3, 64, 64)):
        assert SizeClass.of(other, True) != first
    assert SizeClass.of((1, 3, 64, 64), False) != first
    assert (str(first), str(SizeClass.of((4, 3, 90, 90), True))) == ("64x64", "4 of 91x91")
