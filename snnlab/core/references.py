"""The papers behind the methods, by citation key."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One paper: who, what, where."""

    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""

    @property
    def short(self) -> str:
        """For example ``Bu et al., ICLR 2022``."""
        return f"{self.authors}, {self.venue} {self.year}"


REFERENCES = {
    "Bu2022": Reference(
        "Bu et al.",
        "Optimal ANN-SNN Conversion for High-accuracy and Ultra-low-latency Spiking Neural Networks",
        "ICLR",
        2022,
        "2303.04347",
    ),
    "Huang2024": Reference(
        "Huang et al.",
        "Converting High-Performance and Low-Latency SNNs through Explicit Modelling of Residual Error in ANNs",
        "TNNLS",
        2025,
        "2404.17456",
    ),
    "Diehl2015": Reference(
        "Diehl et al.",
        "Fast-classifying, high-accuracy spiking deep networks through weight and threshold balancing",
        "IJCNN",
        2015,
    ),
    "Rueckauer2017": Reference(
        "Rueckauer et al.",
        "Conversion of Continuous-Valued Deep Networks to Efficient Event-Driven Networks for Image Classification",
        "Frontiers in Neuroscience",
        2017,
    ),
    "He2015": Reference(
        "He et al.",
        "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification",
        "ICCV",
        2015,
        "1502.01852",
    ),
    "He2016": Reference("He et al.", "Deep Residual Learning for Image Recognition", "CVPR", 2016, "1512.03385"),
    "Simonyan2015": Reference(
        "Simonyan and Zisserman",
        "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        "ICLR",
        2015,
        "1409.1556",
    ),
    "Newcombe1998": Reference(
        "Newcombe",
        "Improved Confidence Intervals for the Difference between Binomial Proportions Based on Paired Data",
        "Statistics in Medicine",
        1998,
    ),
    "Wilson1927": Reference(
        "Wilson", "Probable Inference, the Law of Succession, and Statistical Inference", "JASA", 1927
    ),
}


def references() -> dict[str, Reference]:
    """Every cited paper by citation key."""
    return dict(REFERENCES)
